// The reader of .onnx: a model is refused with a FormatError or gives a program that verifies.
#include "bytes_file.h"
#include "formats/onnx/onnx.h"
#include "graph/verify.h"
#include "qdq/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const qdq::fuzz::BytesFile file(data, size);
  try {
    const qdq::Program program = qdq::load_onnx(file.path(), {});
    qdq::verify(program, "load");
  } catch (const qdq::FormatError&) {
  }
  return 0;
}
