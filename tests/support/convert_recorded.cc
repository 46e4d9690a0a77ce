// convert_recorded MODEL.pt2 RECORDED.npz OUT_PREFIX [--quantizer NAME] [--per-channel] [--dynamic] [--reduce-range]
//                                                     [--bits N] [--group-size N]
//                                                     [--annotators conv,linear,...] [--disable-pass NAME]
//                                                     [--reference-representation]
//
// Prepares MODEL as torchao does (masks are observed), feeds each observer the tensors that were recorded for it (arrays
// "activation_post_process_3/0", "/1" ...), converts, and writes OUT_PREFIX.prepared.txt, OUT_PREFIX.txt (the graphs as
// lines) and OUT_PREFIX.npz (the attributes), for comparison with PyTorch.
#include <fstream>
#include <iostream>

#include "qdq/io.h"
#include "qdq/qdq.h"
#include "support/graph_lines.h"

namespace {

// Runs annotators by name, as the quantizers of the seed's tests do.
class AnnotatorListQuantizer : public qdq::Quantizer {
 public:
  AnnotatorListQuantizer(std::string names, qdq::QuantizationConfig config)
      : names_(std::move(names)), config_(std::move(config)) {}
  std::string name() const override { return "annotators"; }
  void annotate(qdq::Program& program) override {
    std::size_t start = 0;
    while (start < names_.size()) {
      const std::size_t end = std::min(names_.find(',', start), names_.size());
      qdq::op_to_annotator(names_.substr(start, end - start))(program, config_, {});
      start = end + 1;
    }
  }

 private:
  std::string names_;
  qdq::QuantizationConfig config_;
};

void run(int argc, char** argv) {
  if (argc < 4) throw qdq::InvalidArgumentError("usage: convert_recorded MODEL RECORDED OUT_PREFIX [options]");
  qdq::QuantizerOptions options;
  options.observe_masks = true;
  std::string quantizer_name = "xnnpack";
  std::string annotators;
  qdq::ConvertOptions convert_options;
  for (int i = 4; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--per-channel")
      options.per_channel = true;
    else if (option == "--dynamic")
      options.is_dynamic = true;
    else if (option == "--bits" && i + 1 < argc)
      options.weight_bits = std::stoll(argv[++i]);
    else if (option == "--group-size" && i + 1 < argc)
      options.group_size = std::stoll(argv[++i]);
    else if (option == "--reduce-range")
      options.reduce_range = true;
    else if (option == "--quantizer" && i + 1 < argc)
      quantizer_name = argv[++i];
    else if (option == "--annotators" && i + 1 < argc)
      annotators = argv[++i];
    else if (option == "--reference-representation")
      convert_options.use_reference_representation = true;
    else if (option == "--disable-pass" && i + 1 < argc)
      convert_options.passes.disabled.push_back(argv[++i]);
    else
      throw qdq::InvalidArgumentError("unknown option " + option);
  }
  const auto named = qdq::quantizer_by_name(quantizer_name, options);
  AnnotatorListQuantizer listed(annotators,
                                qdq::symmetric_config({.per_channel = options.per_channel.value_or(false)}));
  qdq::Quantizer& quantizer = annotators.empty() ? *named : listed;

  const std::string prefix = argv[3];
  qdq::PreparedProgram prepared = qdq::prepare(qdq::load(argv[1]), quantizer);
  std::ofstream(prefix + ".prepared.txt") << qdq::graph_lines(prepared.program().graph());
  for (const auto& recorded : qdq::load_tensors(argv[2])) {
    const auto observer = prepared.observers().find(recorded.name.substr(0, recorded.name.find('/')));
    if (observer == prepared.observers().end()) throw qdq::InvalidArgumentError("no observer for " + recorded.name);
    observer->second->observe(recorded.value);
  }
  const qdq::Program converted = qdq::convert(std::move(prepared), convert_options);
  std::ofstream(prefix + ".txt") << qdq::graph_lines(converted.graph());
  std::vector<qdq::NamedTensor> attributes;
  for (const qdq::Attribute& attribute : converted.attributes) attributes.push_back({attribute.name, attribute.value});
  qdq::save_tensors(prefix + ".npz", attributes);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
    return 0;
  } catch (const qdq::Error& error) {
    std::cerr << "convert_recorded: error: " << error.what() << "\n";
    return qdq::exit_code(error.code());
  }
}
