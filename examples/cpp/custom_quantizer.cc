// A quantizer of one's own: for a device that computes linear layers in int8 and everything else in float.
//     custom_quantizer model.pt2 data.npz out.pt2
#include <iostream>
#include <string>

#include "qdq/qdq.h"

namespace {

// A quantizer only says what is to be quantized and how. prepare puts the observers in, convert takes them out again.
class LinearQuantizer : public qdq::Quantizer {
 public:
  std::string name() const override { return "linear"; }

  void annotate(qdq::Program& program) override {
    qdq::QuantizationSpec activation;
    activation.dtype = qdq::DType::uint8;
    activation.quant_min = 0;
    activation.quant_max = 255;
    activation.qscheme = qdq::QScheme::per_tensor_affine;
    activation.observer_or_fake_quant_ctr = qdq::moving_average_min_max_observer();

    qdq::QuantizationSpec weight;
    weight.dtype = qdq::DType::int8;
    weight.quant_min = -127;
    weight.quant_max = 127;
    weight.qscheme = qdq::QScheme::per_channel_symmetric;
    weight.ch_axis = 0;
    weight.observer_or_fake_quant_ctr = qdq::per_channel_min_max_observer();

    for (qdq::Node& node : program.graph().nodes()) {
      if (!node.is("aten.linear.default")) continue;
      qdq::QuantizationAnnotation& annotation = qdq::annotation_of(node);
      annotation.set_input_qspec(*node.input(0), activation);
      annotation.set_input_qspec(*node.input(1), weight);
      annotation.output_qspec = activation;
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: custom_quantizer model.pt2 data.npz out.pt2\n";
    return 2;
  }
  try {
    LinearQuantizer quantizer;
    qdq::PreparedProgram prepared = qdq::prepare(qdq::load(argv[1]), quantizer);
    prepared.calibrate({qdq::load_tensors(argv[2]).at(0).value});
    const qdq::Program quantized = qdq::convert(std::move(prepared));
    qdq::save(quantized, argv[3]);
    std::cout << qdq::summarize_quantization(quantized).quantized() << " ops quantized\n";
    return 0;
  } catch (const qdq::Error& error) {
    std::cerr << "custom_quantizer: " << error.what() << "\n";
    return qdq::exit_code(error.code());
  }
}
