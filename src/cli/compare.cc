#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/batches.h"
#include "cli/commands.h"
#include "cli/error_stats.h"
#include "cli/matching.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/steps.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "qdq/executor.h"

namespace qdq::cli {
namespace {

struct Options : RunOptions {
  std::string reference_model;
  std::string model;
  std::string data;
  std::optional<std::int64_t> worst;
  bool outputs_only = false;
};

struct NodeError {
  NodePair pair;
  ErrorStats stats;
};

struct OutputError {
  std::string name;
  ErrorStats stats;
  ArgmaxAgreement argmax;
};

struct Comparison {
  std::vector<OutputError> outputs;
  std::vector<NodeError> nodes;  // in the order of the reference program
};

std::vector<std::string> names_of(const std::vector<NodePair>& pairs, std::string NodePair::*member) {
  std::vector<std::string> names;
  for (const NodePair& pair : pairs) names.push_back(pair.*member);
  return names;
}

Comparison compare_programs(const Program& reference, const Program& program, const Batches& batches,
                            const Options& options) {
  Comparison result;
  std::vector<NodePair> pairs;
  if (!options.outputs_only) pairs = matching_nodes(reference, program);
  for (const std::string& output : output_names(reference)) result.outputs.push_back({output, {}, {}});
  for (const NodePair& pair : pairs) result.nodes.push_back({pair, {}});
  const auto first = make_executor(reference, options.executor());
  const auto second = make_executor(program, options.executor());
  first->keep_values(names_of(pairs, &NodePair::reference));
  second->keep_values(names_of(pairs, &NodePair::other));

  Progress progress("compare", batches.samples(), !options.quiet);
  for (std::int64_t i = 0; i < batches.count(); ++i) {
    const std::vector<Tensor> inputs = batches.batch(i);
    const std::vector<Tensor> expected = first->run(inputs);
    const std::vector<Tensor> found = second->run(inputs);
    for (std::size_t k = 0; k < result.outputs.size(); ++k) {
      result.outputs[k].stats.add(expected[k], found[k]);
      result.outputs[k].argmax.add(expected[k], found[k]);
    }
    for (NodeError& node : result.nodes) {
      const Tensor* a = first->kept_value(node.pair.reference);
      const Tensor* b = second->kept_value(node.pair.other);
      if (a != nullptr && b != nullptr && a->sizes() == b->sizes()) node.stats.add(*a, *b);
    }
    progress.advance(batches.samples_in(i));
  }
  std::erase_if(result.nodes, [](const NodeError& node) { return node.stats.count() == 0; });
  return result;
}

std::string decibels(double value) { return std::isinf(value) ? "exact" : fmt::format("{:.1f}", value); }

Json stats_json(const ErrorStats& stats) {
  // JSON has no infinity: null stands for "no error at all".
  const double sqnr = stats.sqnr_db();
  return {
      {"max_abs", stats.max_abs()}, {"sqnr_db", std::isinf(sqnr) ? Json() : Json(sqnr)}, {"cosine", stats.cosine()}};
}

void print_tables(const Comparison& result, const Steps& steps) {
  Table outputs({{"output"}, {"max abs", true}, {"SQNR dB", true}, {"cosine", true}, {"same argmax", true}});
  for (const OutputError& output : result.outputs) {
    const std::optional<double> same = output.argmax.share();
    outputs.add({output.name, fmt::format("{:.4g}", output.stats.max_abs()), decibels(output.stats.sqnr_db()),
                 fmt::format("{:.6f}", output.stats.cosine()), same ? percent(*same, 1) : "-"});
  }
  fmt::print("{}\n", outputs.to_string());
  if (!result.nodes.empty()) {
    Table nodes({{"node"}, {"op"}, {"max abs", true}, {"SQNR dB", true}, {"cosine", true}});
    for (const NodeError& node : result.nodes)
      nodes.add({node.pair.reference, node.pair.op, fmt::format("{:.4g}", node.stats.max_abs()),
                 decibels(node.stats.sqnr_db()), fmt::format("{:.6f}", node.stats.cosine())});
    fmt::print("{}\n", nodes.to_string());
  }
  fmt::print("{}", steps_table(steps.costs()));
}

void print_result_json(const Options& options, const Comparison& result, std::int64_t samples, const Steps& steps) {
  Json outputs = Json::array();
  for (const OutputError& output : result.outputs) {
    Json row = {{"name", output.name}};
    row.update(stats_json(output.stats));
    const std::optional<double> same = output.argmax.share();
    row["same_argmax"] = same ? Json(*same) : Json();
    outputs.push_back(row);
  }
  Json nodes = Json::array();
  for (const NodeError& node : result.nodes) {
    Json row = {{"name", node.pair.reference}, {"other", node.pair.other}, {"op", node.pair.op}};
    row.update(stats_json(node.stats));
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
  if (output_names(reference).size() != output_names(program).size())
    throw InvalidArgumentError(fmt::format("{} has {} outputs, {} has {}", options.reference_model,
                                           output_names(reference).size(), options.model,
                                           output_names(program).size()));
  Batches batches(reference, load_tensors(options.data), options.batch, Batches::Remainder::drop, options.data);
  if (options.samples) batches.limit(*options.samples);
  Comparison result = steps.measure("compare", [&] { return compare_programs(reference, program, batches, options); });
  if (options.worst) {
    const auto is_worse = [](const NodeError& a, const NodeError& b) { return a.stats.sqnr_db() < b.stats.sqnr_db(); };
    std::stable_sort(result.nodes.begin(), result.nodes.end(), is_worse);
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
                  "      where most of the accuracy is lost\n"
                  "\n"
                  "max abs      largest absolute difference\n"
                  "SQNR dB      10 log10(sum of squares / sum of squared differences): 6 dB are one bit\n"
                  "cosine       of the angle between the two as vectors\n"
                  "same argmax  how often the largest value along the last dimension stands at the same place\n"
                  "\n"
                  "Nodes match by name and op. A batch norm that was folded is compared with the convolution or\n"
                  "linear that took it over.");
  command.add_option("reference", options->reference_model, "The program that is right by definition")
      ->required()
      ->type_name("REFERENCE.pt2");
  command.add_option("model", options->model, "The program to judge")->required()->type_name("MODEL.pt2");
  command.add_option("-i,--input", options->data, "Samples: .npy, .npz or .safetensors")->required()->type_name("DATA");
  command.add_option("--worst", options->worst, "Only the N nodes with the lowest SQNR, worst first")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command.add_flag("--outputs-only", options->outputs_only, "Leave the nodes out");
  add_run_options(command, *options);
  command.callback([options] { compare(*options); });
}

}  // namespace qdq::cli
