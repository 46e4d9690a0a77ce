#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/convert_options.h"
#include "cli/files.h"
#include "cli/from_statistics.h"
#include "cli/quantized_summary.h"
#include "cli/steps.h"
#include "cli/usage.h"
#include "qdq/io.h"

namespace qdq::cli {
namespace {

struct Options {
  std::string model;
  std::string statistics;
  std::string output;
  bool json = false;
  ConvertOptions convert;
  bool quiet = false;
};

void convert_with_statistics(const Options& options) {
  check_program_output(options.output);
  Steps steps;
  Program program = steps.measure("load", [&] { return load(options.model); });
  const OpenedStatistics opened = open_statistics(options.statistics, program, options.model, options.quiet);
  PreparedProgram prepared =
      steps.measure("prepare", [&] { return opened.prepare(std::move(program), options.model); });
  const Program converted = steps.measure("convert", [&] {
    opened.apply(prepared);
    ConvertOptions convert_options = options.convert;
    convert_options.passes = opened.passes();
    return convert(std::move(prepared), convert_options);
  });
  steps.measure("save", [&] { save_program(converted, options.output); });
  warn_of_coarse_tensors(converted);
  if (!options.quiet || options.json)
    print_quantized(options.model, options.output, converted, opened.statistics.samples, steps, {}, options.json);
}

}  // namespace

void add_convert(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = add_command(
      app, "convert",
      "Quantizes a program with the statistics that 'qdq calibrate' found. The quantizer and its options are those of "
      "the calibration.",
      "  qdq calibrate net.pt2 --data images.npz --per-channel -o stats.safetensors\n"
      "  qdq convert net.pt2 --statistics stats.safetensors -o net.int8.pt2\n"
      "\n"
      "The two together write the same bytes as 'qdq quantize --accuracy fast'. Statistics of another\n"
      "program, or of a calibration that has not ended, are refused.");
  command.add_option("model", options->model, "The program that was calibrated")->required()->type_name("MODEL");
  command.add_option("--statistics", options->statistics, "What 'qdq calibrate' or 'qdq merge' wrote")
      ->required()
      ->type_name("STATS.safetensors");
  command.add_option("-o,--output", options->output, "Where the quantized program goes")->required()->type_name("OUT");
  add_convert_options(command, options->convert);
  add_json_option(command, options->json);
  command.add_flag("-q,--quiet", options->quiet, "No summary");
  command.callback([options] { convert_with_statistics(*options); });
}

}  // namespace qdq::cli
