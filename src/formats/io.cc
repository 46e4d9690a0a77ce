#include "qdq/io.h"

#include <array>

#include "formats/pt2/pt2.h"

namespace qdq {
namespace {

// The program formats. A new one adds its row here.
struct ProgramFormat {
  std::string_view extension;
  Program (*load)(const std::filesystem::path&, const LoadOptions&);
  void (*save)(const Program&, const std::filesystem::path&);
};
constexpr std::array<ProgramFormat, 1> kProgramFormats = {{{".pt2", load_pt2, nullptr}}};

const ProgramFormat& program_format(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  std::string known;
  for (const ProgramFormat& format : kProgramFormats) {
    if (format.extension == extension) return format;
    known += (known.empty() ? "" : ", ") + std::string(format.extension);
  }
  throw InvalidArgumentError("'" + path.string() + "': expected a file name that ends in one of " + known);
}

}  // namespace

Program load(const std::filesystem::path& path, const LoadOptions& options) { return program_format(path).load(path, options); }

}  // namespace qdq
