// The reader of .pt2: an archive is refused with a FormatError or gives a program that verifies.
#include "bytes_file.h"
#include "formats/pt2/pt2.h"
#include "graph/verify.h"
#include "qdq/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const qdq::fuzz::BytesFile file(data, size);
  try {
    const qdq::Program program = qdq::load_pt2(file.path(), {.verify_weights = true});
    qdq::verify(program, "load");
  } catch (const qdq::FormatError&) {
  }
  return 0;
}
