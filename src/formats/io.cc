#include "qdq/io.h"

#include <array>
#include <unordered_set>

#include "formats/archive/atomic_file.h"
#include "formats/onnx/onnx.h"
#include "formats/pt2/pt2.h"
#include "formats/tensors/tensor_files.h"
#include "formats/text/text.h"

namespace qdq {
namespace {

// The formats of programs and of tensors. A new one adds its row here.
struct ProgramFormat {
  std::string_view extension;
  Program (*load)(const std::filesystem::path&, const LoadOptions&);
  void (*save)(const Program&, const std::filesystem::path&, const SaveOptions&);
};

// Of a format without options.
template <void (*kSave)(const Program&, const std::filesystem::path&)>
void save_plainly(const Program& program, const std::filesystem::path& path, const SaveOptions&) {
  kSave(program, path);
}

constexpr std::array<ProgramFormat, 3> kProgramFormats = {{{".pt2", load_pt2, save_plainly<save_pt2>},
                                                           {".onnx", load_onnx, save_onnx},
                                                           {".graph", load_text, save_plainly<save_text>}}};

struct TensorFormat {
  std::string_view extension;
  std::vector<NamedTensor> (*load)(const std::filesystem::path&, const LoadOptions&);
  void (*save)(const std::filesystem::path&, const std::vector<NamedTensor>&);
  std::vector<std::unique_ptr<TensorReader>> (*open)(const std::filesystem::path&);
};
constexpr std::array<TensorFormat, 3> kTensorFormats = {
    {{".npy", load_npy, save_npy, open_npy},
     {".npz", load_npz, save_npz, open_npz},
     {".safetensors", load_safetensors, save_safetensors, open_safetensors}}};

template <typename Formats>
const auto& format_of(const Formats& formats, const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  std::string known;
  for (const auto& format : formats) {
    if (format.extension == extension) return format;
    known += (known.empty() ? "" : ", ") + std::string(format.extension);
  }
  throw InvalidArgumentError("'" + path.string() + "': expected a file name that ends in one of " + known);
}

}  // namespace

Program load(const std::filesystem::path& path, const LoadOptions& options) {
  return format_of(kProgramFormats, path).load(path, options);
}

void save(const Program& program, const std::filesystem::path& path, const SaveOptions& options) {
  format_of(kProgramFormats, path).save(program, path, options);
}

std::vector<NamedTensor> load_tensors(const std::filesystem::path& path, const LoadOptions& options) {
  return format_of(kTensorFormats, path).load(path, options);
}

std::vector<std::unique_ptr<TensorReader>> open_tensors(const std::filesystem::path& path) {
  return format_of(kTensorFormats, path).open(path);
}

void save_tensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors) {
  const auto& format = format_of(kTensorFormats, path);
  std::unordered_set<std::string_view> names;
  for (const NamedTensor& tensor : tensors) {
    if (!tensor.value.defined() || tensor.value.is_meta())
      throw InvalidArgumentError("[save] " + path.string() + ": tensor '" + tensor.name + "' has no data");
    if (!names.insert(tensor.name).second)
      throw InvalidArgumentError("[save] " + path.string() + ": two tensors have the name '" + tensor.name + "'");
  }
  format.save(path, tensors);
}

void save_bytes(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace qdq
