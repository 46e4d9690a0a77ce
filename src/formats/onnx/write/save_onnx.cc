#include "formats/onnx/onnx.h"
#include "formats/onnx/write/emitter.h"

namespace qdq {

void save_onnx(const Program& program, const std::filesystem::path& path, const SaveOptions& options) {
  onnx::write_model(onnx::Emitter(program, options).run(), path);
}

}  // namespace qdq
