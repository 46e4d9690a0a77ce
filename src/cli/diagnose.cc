#include "qdq/diagnose.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <span>

#include "cli/accuracy_options.h"
#include "cli/batches.h"
#include "cli/commands.h"
#include "cli/data_options.h"
#include "cli/progress.h"
#include "cli/quantizer_options.h"
#include "cli/report.h"
#include "cli/steps.h"
#include "cli/table.h"
#include "cli/usage.h"

namespace qdq::cli {
namespace {

struct Options : RunOptions {
  QuantizerOptions quantizer;
  AccuracyOptions accuracy;
  std::string model;
  DataOptions data;
  int ops = 8;
  std::int64_t worst = 10;
};

std::string decibels(double value) { return std::isinf(value) ? "exact" : fmt::format("{:.1f}", value); }
Json decibels_json(double value) { return std::isinf(value) ? Json() : Json(value); }  // JSON has no infinity

void print_tables(const Options& options, const Diagnosis& found, const Steps& steps) {
  fmt::print("{}: the outputs have {} dB\n\n", options.model, decibels(found.sqnr_db));
  Table tensors({{"tensor"},
                 {"range by"},
                 {"adds dB", true},
                 {"mean shift", true},
                 {"clipped", true},
                 {"inherits dB", true},
                 {"mean shift", true}});
  for (const TensorDiagnosis& tensor :
       std::span(found.tensors).first(std::min(found.tensors.size(), static_cast<std::size_t>(options.worst)))) {
    tensors.add({tensor.node, tensor.observer, decibels(tensor.added.sqnr_db()),
                 fmt::format("{:.2g}", tensor.added.mean_error()), tensor.is_weight ? "-" : percent(tensor.clipped, 1),
                 tensor.inherited ? decibels(tensor.inherited->sqnr_db()) : "-",
                 tensor.inherited ? fmt::format("{:.2g}", tensor.inherited->mean_error()) : "-"});
  }
  fmt::print("{}\n", tensors.to_string());
  if (!found.ops.empty()) {
    Table ops({{"in float"}, {"op"}, {"own dB", true}, {"brings dB", true}});
    for (const OpDiagnosis& op : found.ops)
      ops.add({op.node, op.op, decibels(op.own_sqnr_db), fmt::format("{:+.2f}", op.gain_db)});
    fmt::print("{}\n", ops.to_string());
  }
  if (found.exclude.empty()) {
    fmt::print("No op that was tried brings half a decibel alone.\n\n");
  } else {
    fmt::print("Suggested:");
    for (const std::string& node : found.exclude) fmt::print(" --exclude {}", node);
    fmt::print("\n\n");
  }
  fmt::print("{}", steps_table(steps.costs()));
}

void print_result_json(const Options& options, const Diagnosis& found, const Steps& steps) {
  Json tensors = Json::array();
  for (const TensorDiagnosis& tensor : found.tensors) {
    Json row = {
        {"name", tensor.node},
        {"observer", tensor.observer},
        {"is_weight", tensor.is_weight},
        {"added", {{"sqnr_db", decibels_json(tensor.added.sqnr_db())}, {"mean_shift", tensor.added.mean_error()}}},
        {"clipped", tensor.clipped}};
    if (tensor.inherited)
      row["inherited"] = {{"sqnr_db", decibels_json(tensor.inherited->sqnr_db())},
                          {"mean_shift", tensor.inherited->mean_error()}};
    tensors.push_back(row);
  }
  Json ops = Json::array();
  for (const OpDiagnosis& op : found.ops)
    ops.push_back(
        {{"name", op.node}, {"op", op.op}, {"own_sqnr_db", decibels_json(op.own_sqnr_db)}, {"gain_db", op.gain_db}});
  print_json({{"model", options.model},
              {"sqnr_db", decibels_json(found.sqnr_db)},
              {"tensors", tensors},
              {"ops", ops},
              {"exclude", found.exclude},
              {"steps", steps_json(steps.costs())}});
}

void run_diagnosis(const Options& options) {
  Steps steps;
  const Program program = steps.measure("load", [&] { return load(options.model); });
  const auto quantizer = make_quantizer(options.quantizer, program, options.model);
  const Batches batches = open_full_batches(program, options.data, options);
  CalibrationBatches data;
  for (std::int64_t i = 0; i < batches.count(); ++i) data.push_back(batches.batch(i));
  std::optional<Progress> progress;
  int last = 0;
  DiagnoseOptions how{.accuracy = options.accuracy, .ops = options.ops, .executor = options.executor(), .progress = {}};
  how.progress = [&](int done, int total) {
    if (!progress) progress.emplace("diagnose", total, !options.quiet);
    progress->advance(done - last);
    last = done;
  };
  const Diagnosis found = steps.measure("diagnose", [&] { return diagnose(program, *quantizer, data, how); });
  progress.reset();
  if (options.json)
    print_result_json(options, found, steps);
  else
    print_tables(options, found, steps);
}

}  // namespace

void add_diagnose(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = add_command(
      app, "diagnose",
      "Quantizes a program and shows where its accuracy is lost: which tensors, by what, and which ops bring it back "
      "when they stay in float.",
      "  qdq diagnose net.pt2 --calibrate images.npz --per-channel\n"
      "  qdq diagnose net.pt2 --calibrate images.npz --per-channel --bias-correction fast --ops 20\n"
      "\n"
      "adds        the float program's value, quantized, against itself; clipped: the share out of range\n"
      "inherits    the quantized program's value, before it is quantized, against the float program's\n"
      "mean shift  the mean of the difference, in the units of the value\n"
      "own         what an op makes of the float program's values, with what quantizes them\n"
      "brings      by how much the SQNR of the outputs rises with that op alone in float: measured\n"
      "\n"
      "It is measured on the samples that it calibrates with. 6 dB are one bit.");
  command.add_option("model", options->model, "The float program")->required()->type_name("MODEL.pt2");
  command.add_option("-c,--calibrate", options->data.path, "Typical inputs: a .npy, .npz or .safetensors, or a folder")
      ->required()
      ->type_name("DATA");
  command
      .add_option("--ops", options->ops,
                  "How many ops to try in float, those with the least dB of their own (default: 8)")
      ->check(CLI::Range(0, 100000))
      ->type_name("N");
  command.add_option("--worst", options->worst, "How many tensors to show (default: 10)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  add_accuracy_options(command, options->accuracy);
  add_quantizer_options(command, options->quantizer);
  add_run_options(command, *options);
  add_image_options(command, options->data);
  command.callback([options] { run_diagnosis(*options); });
}

}  // namespace qdq::cli
