#include "formats/text/text.h"

#include "formats/archive/atomic_file.h"
#include "formats/archive/mapped_file.h"
#include "graph/verify.h"
#include "qdq/graph_text.h"

namespace qdq {

Program load_text(const std::filesystem::path& path, const LoadOptions&) {
  const auto file = MappedFile::open(path);
  Program program = parse_program({reinterpret_cast<const char*>(file->data()), file->size()}, path.string());
  try {
    verify(program, "loading");
  } catch (const InternalError& error) {
    // The text parses, yet says something impossible (a get_attr without attribute): the file's fault, not ours.
    const std::string message = error.what();
    throw FormatError(path.string() + ": " + message.substr(0, message.find(" (this is a bug")));
  }
  return program;
}

void save_text(const Program& program, const std::filesystem::path& path) {
  AtomicFile file(path);
  file.write(to_text(program, TextOptions::lossless()));
  file.commit();
}

}  // namespace qdq
