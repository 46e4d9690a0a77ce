// The parser of the text form: a text is refused with a FormatError or prints to a text that gives the same program.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "qdq/error.h"
#include "qdq/graph_text.h"

namespace {

// Whatever this throws is a finding: the text is our own.
void check_round_trip(const qdq::Program& program) {
  const std::string text = to_text(program, qdq::TextOptions::lossless());
  std::string difference;
  if (equal(program, qdq::parse_program(text), &difference)) return;
  std::fprintf(stderr, "not the same program after a round trip: %s\n%s\n", difference.c_str(), text.c_str());
  std::abort();
}

bool parse(std::string_view text, qdq::Program& program) {
  try {
    program = qdq::parse_program(text);
    return true;
  } catch (const qdq::FormatError&) {
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  qdq::Program program;
  if (parse({reinterpret_cast<const char*>(data), size}, program)) check_round_trip(program);
  return 0;
}
