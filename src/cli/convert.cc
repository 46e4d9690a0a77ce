#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/quantized_summary.h"
#include "cli/quantizer_options.h"
#include "cli/steps.h"
#include "cli/usage.h"
#include "qdq/statistics.h"

namespace qdq::cli {
namespace {

struct Options {
  std::string model;
  std::string statistics;
  std::string output;
  bool json = false;
  bool quiet = false;
};

// Statistics that fit the program; a part of the data will do, with a note.
Statistics open_statistics(const Options& options, const Program& program) {
  Statistics statistics = load_statistics(options.statistics);
  const std::string found = fingerprint(program);
  if (statistics.program != found)
    throw InvalidArgumentError(
        fmt::format("{} belongs to another program: it was made for one with the fingerprint {}, {} has {}",
                    options.statistics, statistics.program, options.model, found));
  if (!statistics.is_complete)
    throw InvalidArgumentError(
        fmt::format("{}: calibration stopped after {} samples; run the same 'qdq calibrate' again to end it",
                    options.statistics, statistics.samples));
  if (!statistics.shards.empty() && !options.quiet) {
    std::string shards;
    for (const Shard& shard : statistics.shards) shards += (shards.empty() ? "" : ", ") + to_string(shard);
    fmt::print(stderr, "qdq: note: {} has seen the shards {} only; 'qdq merge' adds others\n", options.statistics,
               shards);
  }
  return statistics;
}

QuantizerOptions recipe_of(const Statistics& statistics, const std::string& file) {
  const Json recipe = Json::parse(statistics.recipe, nullptr, false);  // what is no JSON is no object either
  return recipe_from_json(recipe, file);
}

void convert_with_statistics(const Options& options) {
  check_program_output(options.output);
  Steps steps;
  Program program = steps.measure("load", [&] { return load(options.model); });
  const Statistics statistics = open_statistics(options, program);
  const QuantizerOptions recipe = recipe_of(statistics, options.statistics);
  const auto quantizer = make_quantizer(recipe, program, options.model);
  PassOptions passes;
  passes.disabled = recipe.disabled_passes;
  PreparedProgram prepared = steps.measure("prepare", [&] { return prepare(std::move(program), *quantizer, passes); });
  const Program converted = steps.measure("convert", [&] {
    try {
      apply_statistics(prepared, statistics);
    } catch (const InvalidArgumentError& error) {
      throw InvalidArgumentError(fmt::format("{}: {}", options.statistics, error.what()));
    }
    return convert(std::move(prepared), {.fold_quantize = true, .passes = passes});
  });
  steps.measure("save", [&] { save_program(converted, options.output); });
  if (!options.quiet || options.json)
    print_quantized(options.model, options.output, converted, statistics.samples, steps, options.json);
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
      "The two together write the same bytes as 'qdq quantize'. Statistics of another program, or of\n"
      "a calibration that has not ended, are refused.");
  command.add_option("model", options->model, "The program that was calibrated")->required()->type_name("MODEL.pt2");
  command.add_option("--statistics", options->statistics, "What 'qdq calibrate' or 'qdq merge' wrote")
      ->required()
      ->type_name("STATS.safetensors");
  command.add_option("-o,--output", options->output, "Where the quantized program goes")
      ->required()
      ->type_name("OUT.pt2");
  add_json_option(command, options->json);
  command.add_flag("-q,--quiet", options->quiet, "No summary");
  command.callback([options] { convert_with_statistics(*options); });
}

}  // namespace qdq::cli
