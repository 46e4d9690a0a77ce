#include "cli/html_report.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/files.h"
#include "cli/from_statistics.h"
#include "cli/report.h"
#include "qdq/io.h"

namespace qdq::cli {
namespace {

struct Options : RunOptions {
  std::string reference_model;
  std::string model;
  std::string statistics;
  std::string output;
  DataOptions data;
};

std::vector<ObservedTensor> observed_in(const Options& options, const Program& reference) {
  if (options.statistics.empty()) return {};
  const OpenedStatistics opened =
      open_statistics(options.statistics, reference, options.reference_model, options.quiet);
  PreparedProgram prepared = opened.prepare(load(options.reference_model), options.reference_model);
  opened.apply(prepared);
  return observed_tensors(prepared);
}

void report(const Options& options) {
  check_program_output(options.output, {".html"});
  const Program reference = load(options.reference_model);
  const Program quantized = load(options.model);
  save_report(options.output, options.model, reference, quantized, observed_in(options, reference), options.data,
              options);
  const QuantizationSummary summary = summarize_quantization(quantized);
  if (options.json)
    print_json({{"report", options.output}, {"quantized", summary.quantized()}, {"in_float", summary.in_float()}});
  else if (!options.quiet)
    fmt::print("{}: {} of {} ops are quantized\n", options.output, summary.quantized(),
               summary.quantized() + summary.in_float());
}

}  // namespace

void save_report(const std::string& path, const std::string& model, const Program& reference, const Program& quantized,
                 std::vector<ObservedTensor> observed, const DataOptions& data, const RunOptions& run) {
  Comparison comparison;
  if (!data.path.empty())
    comparison =
        compare_programs(reference, quantized, open_full_batches(reference, data, run), run, {.own_errors = true});
  const std::string title = std::filesystem::path(model).filename().string() + ": what quantization did";
  save_text(path, html_report({title, reference, quantized, std::move(observed), std::move(comparison.nodes),
                               std::move(comparison.outputs)}));
}

void add_report(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = add_command(
      app, "report",
      "Writes one HTML page about a quantized program: how each op is quantized or why not, where accuracy is lost, "
      "the histograms of the values with their ranges.",
      "  qdq report net.pt2 net.int8.pt2 --input images.npz -o report.html\n"
      "      runs both programs on the samples to find the ops that add the noise\n"
      "  qdq calibrate net.pt2 --data images.npz -o stats.safetensors\n"
      "  qdq report net.pt2 net.int8.pt2 --input images.npz --statistics stats.safetensors -o report.html\n"
      "      histograms as well; 'qdq quantize --report report.html' has them without a second command\n"
      "\n"
      "The page needs no network and no other file. What it shows is kept in its address: a view that is\n"
      "sorted, filtered or opened can be sent to somebody.");
  command.add_option("reference", options->reference_model, "The program in float")->required()->type_name("REFERENCE");
  command.add_option("model", options->model, "What was made of it")->required()->type_name("MODEL");
  command.add_option("-o,--output", options->output, "Where the page goes")->required()->type_name("OUT.html");
  command
      .add_option("-i,--input", options->data.path,
                  "Samples to run both programs on: a .npy, .npz or .safetensors, or a folder")
      ->type_name("DATA");
  command
      .add_option("--statistics", options->statistics,
                  "What 'qdq calibrate' found for the program in float: gives the histograms")
      ->type_name("STATS.safetensors");
  add_run_options(command, *options);
  add_image_options(command, options->data);
  command.callback([options] { report(*options); });
}

}  // namespace qdq::cli
