#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <array>
#include <map>
#include <memory>

#include "cli/batches.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/usage.h"
#include "qdq/graph_text.h"
#include "qdq/io.h"

namespace qdq::cli {
namespace {

struct Options {
  std::string model;
  bool graph = false;
  bool full = false;
  bool json = false;
};

struct Port {
  std::string role;  // "input" or "output"
  std::string name;
  std::string type;  // "f32[s0, 1, 28, 28]"
};

struct TensorTotal {
  std::int64_t count = 0;
  std::int64_t bytes = 0;
};

std::string_view kind_name(AttributeKind kind) {
  switch (kind) {
    case AttributeKind::parameter: return "parameter";
    case AttributeKind::buffer: return "buffer";
    case AttributeKind::constant: return "constant";
    case AttributeKind::custom_obj: return "custom object";
  }
  return "";
}

std::vector<Port> ports(const Program& program) {
  std::vector<Port> result;
  for (const Node* node : input_nodes(program)) result.push_back({"input", node->name(), to_text(node->type)});
  const std::vector<std::string> names = output_names(program);
  const Node* output = program.graph().output_node();
  std::size_t next = 0;
  for (std::size_t i = 0; output != nullptr && i < program.outputs.size(); ++i) {
    if (program.outputs[i].kind != OutputSpec::Kind::user_output) continue;
    const Argument& value = (*output->arg(0).list())[i];
    result.push_back({"output", names[next++], value.node() != nullptr ? to_text(value.node()->type) : to_text(value)});
  }
  return result;
}

// Number and bytes of the program's tensors by kind and dtype: "parameter, float32".
std::map<std::pair<std::string, std::string>, TensorTotal> tensor_totals(const Program& program) {
  std::map<std::pair<std::string, std::string>, TensorTotal> totals;
  for (const Attribute& attribute : program.attributes) {
    const bool defined = attribute.value.defined();
    TensorTotal& total =
        totals[{std::string(kind_name(attribute.kind)), defined ? std::string(name(attribute.value.dtype())) : "-"}];
    ++total.count;
    if (defined) total.bytes += static_cast<std::int64_t>(attribute.value.nbytes());
  }
  return totals;
}

// Quantize and dequantize nodes and whatever else the summary does not count, by op.
std::map<std::string, std::int64_t> other_ops(const Program& program, const QuantizationSummary& summary) {
  std::map<std::string, std::int64_t> counts;
  for (const Node& node : program.graph().nodes())
    if (node.kind() == NodeKind::call_function && !summary.ops.contains(node.target())) ++counts[node.target()];
  return counts;
}

void print_summary(const Options& options, const Program& program) {
  const QuantizationSummary summary = summarize_quantization(program);
  const std::int64_t ops = summary.quantized() + summary.in_float();
  fmt::print("{}: {} bytes, {} nodes, {} of {} ops quantized ({})\n\n", options.model,
             grouped(file_size(options.model)), program.graph().size(), summary.quantized(), ops,
             percent(static_cast<double>(summary.quantized()), static_cast<double>(ops)));
  Table signature({{""}, {"name"}, {"type"}});
  for (const Port& port : ports(program)) signature.add({port.role, port.name, port.type});
  fmt::print("{}", signature.to_string());
  for (const auto& [symbol, range] : program.range_constraints)
    fmt::print("  {} is {} to {}\n", symbol, range.min ? grouped(*range.min) : "any",
               range.max ? grouped(*range.max) : "any");

  Table op_table({{"op"}, {"count", true}, {"quantized", true}});
  for (const auto& [op, count] : summary.ops)
    op_table.add({op, grouped(count.quantized + count.in_float), grouped(count.quantized)});
  for (const auto& [op, count] : other_ops(program, summary)) op_table.add({op, grouped(count), "-"});
  fmt::print("\n{}", op_table.to_string());

  Table tensor_table({{"tensors"}, {"dtype"}, {"count", true}, {"bytes", true}});
  for (const auto& [kind, total] : tensor_totals(program))
    tensor_table.add({kind.first, kind.second, grouped(total.count), grouped(total.bytes)});
  fmt::print("\n{}", tensor_table.to_string());
}

void print_summary_json(const Options& options, const Program& program) {
  const QuantizationSummary summary = summarize_quantization(program);
  Json signature = Json::array();
  for (const Port& port : ports(program))
    signature.push_back({{"role", port.role}, {"name", port.name}, {"type", port.type}});
  Json tensors = Json::array();
  for (const auto& [kind, total] : tensor_totals(program))
    tensors.push_back({{"kind", kind.first}, {"dtype", kind.second}, {"count", total.count}, {"bytes", total.bytes}});
  print_json({{"model", options.model},
              {"bytes", file_size(options.model)},
              {"nodes", program.graph().size()},
              {"quantized", summary.quantized()},
              {"in_float", summary.in_float()},
              {"signature", signature},
              {"ops", ops_json(summary)},
              {"other_ops", other_ops(program, summary)},
              {"tensors", tensors}});
}

void inspect(const Options& options) {
  const Program program = load(options.model);
  if (options.full) {
    fmt::print("{}", to_text(program, TextOptions::full()));
  } else if (options.graph) {
    fmt::print("{}", to_text(program, TextOptions::compact()));
  } else if (options.json) {
    print_summary_json(options, program);
  } else {
    print_summary(options, program);
  }
}

}  // namespace

void add_inspect(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = add_command(
      app, "inspect", "Shows what is in a program: inputs and outputs, ops and how many are quantized, sizes.",
      "  qdq inspect net.pt2\n"
      "  qdq inspect net.int8.pt2 --graph | less\n"
      "      every node, one a line\n"
      "  qdq inspect net.pt2 --json | jq .signature\n");
  command.add_option("model", options->model, "Program to look at")->required()->type_name("MODEL");
  CLI::Option* graph = command.add_flag("--graph", options->graph, "The graph as text instead of the summary");
  CLI::Option* full =
      command.add_flag("--full", options->full, "The same with tensors, stack traces, module paths and all metadata");
  graph->excludes(full);
  add_json_option(command, options->json);
  CLI::Option* json = command.get_option("--json");
  json->excludes(graph)->excludes(full);
  command.callback([options] { inspect(*options); });
}

}  // namespace qdq::cli
