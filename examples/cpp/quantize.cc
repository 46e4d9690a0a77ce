// Quantizes a program with PyTorch's XNNPACK quantizer and runs the result.
//     quantize model.pt2 data.npz out.pt2
#include <iostream>
#include <vector>

#include "qdq/qdq.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: quantize model.pt2 data.npz out.pt2\n";
    return 2;
  }
  try {
    const qdq::Tensor data = qdq::load_tensors(argv[2]).at(0).value;  // the first dimension counts the samples

    qdq::XnnpackQuantizer quantizer;
    quantizer.set_global(qdq::symmetric_config({.per_channel = true}));
    qdq::PreparedProgram prepared = qdq::prepare(qdq::load(argv[1]), quantizer);
    for (std::int64_t i = 0; i < data.size(0); ++i) prepared.calibrate({data.narrow(0, i, 1)});
    const qdq::Program quantized = qdq::convert(std::move(prepared));
    qdq::save(quantized, argv[3]);

    const std::vector<qdq::Tensor> results = qdq::Session(quantized).run({data});
    std::cout << qdq::summarize_quantization(quantized).quantized() << " ops quantized, first result "
              << qdq::to_string(results.at(0).sizes()) << "\n";
    return 0;
  } catch (const qdq::Error& error) {
    std::cerr << "quantize: " << error.what() << "\n";
    return qdq::exit_code(error.code());
  }
}
