#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "cli/batches.h"
#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/data_options.h"
#include "cli/report.h"
#include "cli/steps.h"
#include "cli/table.h"
#include "cli/usage.h"

namespace qdq::cli {
namespace {

struct Options : RunOptions {
  std::string reference_model;
  std::string model;
  DataOptions data;
  std::optional<std::int64_t> worst;
  bool outputs_only = false;
  bool own_errors = false;
};

// What --worst sorts by: where an op adds an error, if that was measured, else where there is one.
double quality(const NodeAccuracy& node) { return node.own ? node.own->sqnr_db() : node.total.sqnr_db(); }

std::string decibels(double value) { return std::isinf(value) ? "exact" : fmt::format("{:.1f}", value); }

Json stats_json(const ErrorStats& stats) {
  // JSON has no infinity: null stands for "no error at all".
  const double sqnr = stats.sqnr_db();
  return {{"max_abs", stats.max_abs()},
          {"mse", stats.mse()},
          {"sqnr_db", std::isinf(sqnr) ? Json() : Json(sqnr)},
          {"cosine", stats.cosine()}};
}

void print_tables(const Comparison& result, const Steps& steps) {
  Table outputs({{"output"}, {"max abs", true}, {"SQNR dB", true}, {"cosine", true}, {"same argmax", true}});
  for (const OutputAccuracy& output : result.outputs) {
    outputs.add({output.name, fmt::format("{:.4g}", output.error.max_abs()), decibels(output.error.sqnr_db()),
                 fmt::format("{:.6f}", output.error.cosine()),
                 output.same_argmax ? percent(*output.same_argmax, 1) : "-"});
  }
  fmt::print("{}\n", outputs.to_string());
  if (!result.nodes.empty()) {
    const bool own = result.nodes.front().own.has_value();
    std::vector<Table::Column> columns = {{"node"}, {"op"}, {"max abs", true}, {"SQNR dB", true}, {"cosine", true}};
    if (own) columns.insert(columns.end(), {{"own max abs", true}, {"own dB", true}});
    Table nodes(columns);
    for (const NodeAccuracy& node : result.nodes) {
      std::vector<std::string> row = {node.nodes.reference, node.nodes.op, fmt::format("{:.4g}", node.total.max_abs()),
                                      decibels(node.total.sqnr_db()), fmt::format("{:.6f}", node.total.cosine())};
      if (own) {
        row.push_back(fmt::format("{:.4g}", node.own->max_abs()));
        row.push_back(decibels(node.own->sqnr_db()));
      }
      nodes.add(row);
    }
    fmt::print("{}\n", nodes.to_string());
  }
  fmt::print("{}", steps_table(steps.costs()));
}

void print_result_json(const Options& options, const Comparison& result, std::int64_t samples, const Steps& steps) {
  Json outputs = Json::array();
  for (const OutputAccuracy& output : result.outputs) {
    Json row = {{"name", output.name}};
    row.update(stats_json(output.error));
    row["same_argmax"] = output.same_argmax ? Json(*output.same_argmax) : Json();
    outputs.push_back(row);
  }
  Json nodes = Json::array();
  for (const NodeAccuracy& node : result.nodes) {
    Json row = {{"name", node.nodes.reference}, {"other", node.nodes.other}, {"op", node.nodes.op}};
    row.update(stats_json(node.total));
    if (node.own) row["own"] = stats_json(*node.own);
    nodes.push_back(row);
  }
  print_json({{"reference", options.reference_model},
              {"model", options.model},
              {"samples", samples},
              {"outputs", outputs},
              {"nodes", nodes},
              {"steps", steps_json(steps.costs())}});
}

void compare(const Options& options) {
  Steps steps;
  const Program reference = steps.measure("load", [&] { return load(options.reference_model); });
  const Program program = load(options.model);
  const Batches batches = open_full_batches(reference, options.data, options);
  const CompareOptions wanted = {.nodes = !options.outputs_only, .own_errors = options.own_errors};
  Comparison result =
      steps.measure("compare", [&] { return compare_programs(reference, program, batches, options, wanted); });
  if (options.worst) {
    std::ranges::stable_sort(result.nodes, {}, quality);
    result.nodes.resize(std::min(result.nodes.size(), static_cast<std::size_t>(*options.worst)));
  }
  if (options.json) {
    print_result_json(options, result, batches.samples() - batches.dropped(), steps);
  } else {
    print_tables(result, steps);
  }
}

}  // namespace

void add_compare(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command =
      add_command(app, "compare",
                  "Runs two programs on the same samples and shows how far the second is from the first, node by node.",
                  "  qdq compare net.pt2 net.int8.pt2 --input images.npz\n"
                  "  qdq compare net.pt2 net.int8.pt2 --input images.npz --worst 5\n"
                  "      the values that are furthest off\n"
                  "  qdq compare net.pt2 net.int8.pt2 --input images.npz --own-errors --worst 5\n"
                  "      the ops that lose most of the accuracy\n"
                  "\n"
                  "max abs      largest absolute difference\n"
                  "SQNR dB      10 log10(sum of squares / sum of squared differences): 6 dB are one bit\n"
                  "cosine       of the angle between the two as vectors\n"
                  "own          what the op itself adds: its value on the reference's inputs, with the quantize and\n"
                  "             dequantize in front of it; the rest is inherited from the ops before\n"
                  "same argmax  how often the largest value along the last dimension stands at the same place\n"
                  "\n"
                  "Nodes match by op and name, or numeric debug handle where both programs have them. A batch norm\n"
                  "that was folded is compared with the convolution or linear that took it over. Values of nodes are\n"
                  "those of the simulated int8 program (--executor simulated), outputs those of 'qdq run'.");
  command.add_option("reference", options->reference_model, "The program that is right by definition")
      ->required()
      ->type_name("REFERENCE");
  command.add_option("model", options->model, "The program to judge")->required()->type_name("MODEL");
  command.add_option("-i,--input", options->data.path, "Samples: a .npy, .npz or .safetensors, or a folder")
      ->required()
      ->type_name("DATA");
  command.add_option("--worst", options->worst, "Only the N nodes with the lowest SQNR, worst first")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  CLI::Option* outputs_only = command.add_flag("--outputs-only", options->outputs_only, "Leave the nodes out");
  command
      .add_flag("--own-errors", options->own_errors,
                "Also the error that each op adds itself, whatever it inherits; costs one more run")
      ->excludes(outputs_only);
  add_run_options(command, *options);
  add_image_options(command, options->data);
  command.callback([options] { compare(*options); });
}

}  // namespace qdq::cli
