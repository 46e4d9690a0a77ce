#include "formats/onnx/onnx.h"
#include "formats/onnx/read/importer.h"

namespace qdq {

Program load_onnx(const std::filesystem::path& path, const LoadOptions&) {
  const onnx::InModel model = onnx::parse_model(MappedFile::open(path));
  return onnx::Importer(model).run();
}

}  // namespace qdq
