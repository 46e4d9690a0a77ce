#include "cli/accuracy_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>

namespace qdq::cli {

void add_accuracy_options(CLI::App& command, AccuracyOptions& options) {
  command.add_flag("--equalize", options.equalize,
                   "Scale neighbouring layers against each other, so that their weights use their ranges equally");
  command.add_flag("--absorb-biases", options.absorb_high_biases,
                   "Move what lifts a layer's values off zero into the bias of the next layer");
  command.add_flag("--equalize-activations", options.equalize_activations,
                   "Scale the channels of values between layers so that they use one range equally");
  command.add_flag("--observe-behind-clamps", options.observe_behind_clamps,
                   "Learn the range behind a ReLU6 alone, not in front of it too");
  command.add_flag(
      "--smooth-quant", options.smooth_quant,
      "Divide what linears read by a factor per channel that their weights take over, found for each group");
  command.add_flag(
      "--widen", options.widen_activations,
      "Give 16 bits to the activations whose 8 bits cost the outputs most, an eighth of them or four at most");
  command.add_flag(
      "--widen-weights", options.widen_weights,
      "Give 8 bits to the weights of first and last layers and depthwise convolutions where others have fewer");
  command.add_flag_callback(
      "--adaround", [&options] { options.rounding = AccuracyOptions::Rounding::adaround; },
      "Learn for each weight whether it is rounded up or down: slow, for weights of 4 bits");
  command
      .add_flag_callback(
          "--gptq", [&options] { options.rounding = AccuracyOptions::Rounding::gptq; },
          "Round weights one after the other, each making up for those before it")
      ->excludes("--adaround");
  const std::map<std::string, BiasCorrectionOptions::Kind> kinds = {{"fast", BiasCorrectionOptions::Kind::fast},
                                                                    {"full", BiasCorrectionOptions::Kind::full}};
  command
      .add_option_function<std::string>(
          "--bias-correction", [&options, kinds](const std::string& kind) { options.bias_correction = kinds.at(kind); },
          "Take what quantized weights shift the mean of each channel by out of the biases: fast, each layer alone, or "
          "full, layer by layer behind the quantized ones before it")
      ->check(CLI::IsMember({"fast", "full"}))
      ->type_name("KIND");
}

std::string accuracy_text(const std::vector<AccuracyReport>& reports) {
  std::string text;
  for (const AccuracyReport& report : reports) {
    text += fmt::format("  {}: {} changed", report.algorithm, report.changed);
    if (!report.skipped.empty()) text += fmt::format(", {} left alone", report.skipped.size());
    text += fmt::format(", {:.1f} s\n", report.seconds);
  }
  return text;
}

Json accuracy_json(const std::vector<AccuracyReport>& reports) {
  Json all = Json::array();
  for (const AccuracyReport& report : reports) {
    Json skipped = Json::array();
    for (const SkippedLayer& layer : report.skipped)
      skipped.push_back({{"node", layer.node}, {"reason", layer.reason}});
    all.push_back({{"algorithm", report.algorithm},
                   {"changed", report.changed},
                   {"seconds", report.seconds},
                   {"skipped", skipped}});
  }
  return all;
}

}  // namespace qdq::cli
