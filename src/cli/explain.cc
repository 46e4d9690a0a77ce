#include "qdq/explain.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/from_statistics.h"
#include "cli/quantizer_options.h"
#include "cli/random_inputs.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "qdq/executor.h"
#include "qdq/io.h"

namespace qdq::cli {
namespace {

struct Options {
  std::string model;
  std::string statistics;
  std::vector<std::string> nodes;
  std::string only;
  QuantizerOptions quantizer;
  bool chooses_quantizer = false;
  bool plan = false;
  bool json = false;
};

// What is explained: a program as it is, or what quantization would make of it.
struct Subject {
  std::optional<Program> program;
  std::optional<PreparedProgram> prepared;
  std::string state;  // "quantized", "float": without data, "calibrated": with statistics
  std::map<std::string, std::string> in_float =
      {};  // with --plan: nodes that the executor does not compute in int8, and why

  std::vector<ExplainedOp> explain() const { return prepared ? qdq::explain(*prepared) : qdq::explain(*program); }
};

Subject open_subject(const Options& options) {
  Program program = load(options.model);
  if (is_quantized(program)) {
    if (options.chooses_quantizer || !options.statistics.empty())
      throw UsageError(fmt::format(
          "{} is quantized already: a quantizer or statistics can be given for a float program", options.model));
    return {std::move(program), std::nullopt, "quantized"};
  }
  if (!options.statistics.empty()) {
    const OpenedStatistics opened = open_statistics(options.statistics, program, options.model, false);
    PreparedProgram prepared = opened.prepare(std::move(program), options.model);
    opened.apply(prepared);
    return {std::nullopt, std::move(prepared), "calibrated"};
  }
  const auto quantizer = make_quantizer(options.quantizer, program, options.model);
  PassOptions passes;
  passes.disabled = options.quantizer.disabled_passes;
  return {std::nullopt, prepare(std::move(program), *quantizer, passes), "float"};
}

// Plans a run, for sizes of the program's own.
void look_at_plan(Subject& subject) {
  if (!subject.program) throw UsageError("--plan: only a quantized program has a plan in int8");
  const auto executor = make_executor(*subject.program);
  executor->run(random_inputs(*subject.program, std::nullopt).inputs);
  for (const ExecutionNote& note : executor->notes())
    if (note.kind == "int8") subject.in_float.emplace(note.node, note.reason);
}

// The ops that --node and --only choose. Throws UsageError for a pattern that fits none.
std::vector<ExplainedOp> chosen(const Options& options, const std::vector<ExplainedOp>& ops) {
  std::vector<NodeFilter> filters;
  for (const std::string& pattern : options.nodes) {
    const NodeFilter filter = pattern_filter(pattern);
    if (std::none_of(ops.begin(), ops.end(), [&](const ExplainedOp& op) { return filter(*op.node); }))
      throw UsageError(fmt::format("--node {}: no op has such a name, target or module path; see 'qdq explain {}'",
                                   pattern, options.model));
    filters.push_back(filter);
  }
  std::vector<ExplainedOp> result;
  for (const ExplainedOp& op : ops) {
    const bool named = filters.empty() || std::any_of(filters.begin(), filters.end(),
                                                      [&](const NodeFilter& filter) { return filter(*op.node); });
    const bool wanted = options.only.empty() || op.quantized == (options.only == "int8");
    if (named && wanted) result.push_back(op);
  }
  return result;
}

// Why the op is what it is, in words: "quantized by xnnpack.conv_relu".
std::string verdict(const ExplainedOp& op) {
  if (op.quantized && !op.rule.empty()) return "quantized by " + op.rule;
  if (op.quantized && op.why_not.empty()) return "takes quantized values";
  if (op.quantized) return "takes quantized values, has no rule of its own: " + op.why_not;
  if (!op.rule.empty()) return fmt::format("partly quantized by {}: {}", op.rule, op.why_not);
  return "float: " + op.why_not;
}

std::string verdict(const ExplainedOp& op, const Subject& subject) {
  const auto found = subject.in_float.find(op.node->name());
  return found == subject.in_float.end() ? verdict(op)
                                         : fmt::format("{}; computed in float: {}", verdict(op), found->second);
}

// "0.0123", or the least and the greatest of several.
std::string extent(const std::vector<double>& numbers) {
  if (numbers.empty()) return "-";
  const auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
  return *low == *high ? fmt::format("{:.4g}", *low) : fmt::format("{:.4g} to {:.4g}", *low, *high);
}

std::string interval(const std::optional<std::pair<double, double>>& bounds) {
  return bounds ? fmt::format("{:.4g} to {:.4g}", bounds->first, bounds->second) : "-";
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

void add_tensor(Table& table, const char* role, const QuantizedTensor& tensor) {
  std::string scheme = or_dash(tensor.scheme);
  if (tensor.ch_axis) scheme += fmt::format(", axis {}", *tensor.ch_axis);
  const std::string integers = tensor.quant_min && tensor.quant_max
                                   ? fmt::format("{} to {}", *tensor.quant_min, *tensor.quant_max)
                                   : std::string("-");
  table.add({role, tensor.name, std::string(name(tensor.dtype)), integers, scheme,
             tensor.is_dynamic ? "at run time" : extent(tensor.scale),
             tensor.is_dynamic ? "at run time" : extent(tensor.zero_point), interval(tensor.range()),
             interval(tensor.observed), or_dash(tensor.observer)});
}

std::int64_t count_quantized(const std::vector<ExplainedOp>& ops) {
  return std::count_if(ops.begin(), ops.end(), [](const ExplainedOp& op) { return op.quantized; });
}

void print_table(const Options& options, const Subject& subject, const std::vector<ExplainedOp>& all) {
  fmt::print("{}: {} of {} ops {}\n\n", options.model, count_quantized(all), all.size(),
             subject.state == "quantized" ? "are quantized" : "would be quantized");
  Table table({{""},
               {"tensor"},
               {"dtype"},
               {"integers", true},
               {"scheme"},
               {"scale", true},
               {"zero point", true},
               {"range", true},
               {"observed", true},
               {"observer"}});
  for (const ExplainedOp& op : chosen(options, all)) {
    table.add_heading(fmt::format("{} ({}): {}", op.node->name(), op.node->target(), verdict(op, subject)));
    for (const QuantizedTensor& tensor : op.inputs) add_tensor(table, "in", tensor);
    for (const QuantizedTensor& tensor : op.outputs) add_tensor(table, "out", tensor);
  }
  fmt::print("{}", table.to_string());
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}
Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }
Json bounds_json(const std::optional<std::pair<double, double>>& bounds) {
  return bounds ? Json::array({bounds->first, bounds->second}) : Json();
}

// Whole numbers, as all zero points but those of float_qparams are, without a fraction.
Json zero_points_json(const std::vector<double>& zero_points) {
  Json json = Json::array();
  for (const double zero_point : zero_points) {
    const auto whole = static_cast<std::int64_t>(zero_point);
    json.push_back(static_cast<double>(whole) == zero_point ? Json(whole) : Json(zero_point));
  }
  return json;
}

Json tensors_json(const std::vector<QuantizedTensor>& tensors) {
  Json json = Json::array();
  for (const QuantizedTensor& tensor : tensors)
    json.push_back({{"tensor", tensor.name},
                    {"dtype", std::string(name(tensor.dtype))},
                    {"scheme", or_null(tensor.scheme)},
                    {"dynamic", tensor.is_dynamic},
                    {"axis", or_null(tensor.ch_axis)},
                    {"quant_min", or_null(tensor.quant_min)},
                    {"quant_max", or_null(tensor.quant_max)},
                    {"scale", tensor.scale},
                    {"zero_point", zero_points_json(tensor.zero_point)},
                    {"range", bounds_json(tensor.range())},
                    {"observed", bounds_json(tensor.observed)},
                    {"observer", or_null(tensor.observer)}});
  return json;
}

void print_as_json(const Options& options, const Subject& subject, const std::vector<ExplainedOp>& all) {
  Json ops = Json::array();
  for (const ExplainedOp& op : chosen(options, all))
    ops.push_back(
        {{"node", op.node->name()},
         {"op", op.node->target()},
         {"quantized", op.quantized},
         {"rule", or_null(op.rule)},
         {"why_not", or_null(op.why_not)},
         {"computed_in_float",
          or_null(subject.in_float.contains(op.node->name()) ? subject.in_float.at(op.node->name()) : std::string())},
         {"inputs", tensors_json(op.inputs)},
         {"outputs", tensors_json(op.outputs)}});
  const std::int64_t quantized = count_quantized(all);
  print_json({{"model", options.model},
              {"state", subject.state},
              {"quantized", quantized},
              {"in_float", static_cast<std::int64_t>(all.size()) - quantized},
              {"ops", ops}});
}

void explain_model(const Options& options) {
  Subject subject = open_subject(options);
  if (options.plan) look_at_plan(subject);
  const std::vector<ExplainedOp> ops = subject.explain();
  if (options.json)
    print_as_json(options, subject, ops);
  else
    print_table(options, subject, ops);
}

}  // namespace

void add_explain(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = add_command(
      app, "explain",
      "Says of each op how it is quantized and by which rule of the quantizer, or why it is not. Of a float program: "
      "what a quantizer would do.",
      "  qdq explain net.int8.pt2\n"
      "  qdq explain net.int8.pt2 --only float\n"
      "      what stayed in float, and why\n"
      "  qdq explain net.int8.pt2 --plan\n"
      "      also what is quantized and still computed in float on this machine, and why\n"
      "  qdq explain net.pt2 --quantizer x86 --per-channel --node 'aten.conv2d.*'\n"
      "      what x86 would make of the convolutions; needs no data\n"
      "  qdq calibrate net.pt2 --data images.npz -o stats.safetensors\n"
      "  qdq explain net.pt2 --statistics stats.safetensors\n"
      "      the scales that 'qdq convert' is going to write\n"
      "  qdq explain net.int8.pt2 --json | jq '.ops[] | select(.rule == null) | .why_not'\n"
      "\n"
      "integers  the quantized elements: from the least to the greatest\n"
      "range     the real values that these stand for; what lies outside is clamped\n"
      "observed  the least and the greatest value that the observer saw\n"
      "\n"
      "Several scales or zero points, one for each channel, are shown as the least and the greatest;\n"
      "--json has all of them. An op without a rule that takes nothing but quantized values counts as\n"
      "quantized, as in the other commands' summaries.");
  command.add_option("model", options->model, "Program to explain")->required()->type_name("MODEL");
  command
      .add_option("--node", options->nodes,
                  "Only ops whose name, target or module path matches (* and ? as in a shell); may be repeated")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  command.add_option("--only", options->only, "Only ops that stay in 'float', or those that are quantized: 'int8'")
      ->check(CLI::IsMember({"float", "int8"}))
      ->type_name("KIND");
  CLI::Option* statistics =
      command
          .add_option("--statistics", options->statistics,
                      "What 'qdq calibrate' found for this float program; quantizer and options are those of the "
                      "calibration")
          ->type_name("STATS.safetensors");
  command.add_flag("--plan", options->plan,
                   "Plan a run and say which ops between dequantize and quantize are computed in float, and why");
  add_json_option(command, options->json);
  const std::size_t own = command.get_options().size();
  add_quantizer_options(command, options->quantizer);
  std::vector<CLI::Option*> all = command.get_options({});
  const std::vector<CLI::Option*> of_quantizer(all.begin() + static_cast<std::ptrdiff_t>(own), all.end());
  for (CLI::Option* option : of_quantizer) option->excludes(statistics);
  command.callback([options, of_quantizer] {
    options->chooses_quantizer = std::any_of(of_quantizer.begin(), of_quantizer.end(),
                                             [](const CLI::Option* option) { return option->count() > 0; });
    explain_model(*options);
  });
}

}  // namespace qdq::cli
