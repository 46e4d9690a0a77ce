#include "cli/quantizer_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string_view>

#include "cli/known_values.h"
#include "cli/usage.h"
#include "qdq/explain.h"

namespace qdq::cli {
namespace {

// Options that statistics files of earlier versions do not have; there they have their default.
constexpr std::array<std::string_view, 6> kLaterKeys = {
    "symmetric_activations", "weight_observer", "weight_bits", "group_size", "least_scale", "also"};

// Calls visit(key, field) for every option.
template <typename Options, typename Visit>
void for_each_option(Options& options, Visit&& visit) {
  visit("quantizer", options.quantizer);
  visit("per_channel", options.per_channel);
  visit("dynamic", options.is_dynamic);
  visit("reduce_range", options.reduce_range);
  visit("symmetric_activations", options.symmetric_activations);
  visit("observer", options.observer);
  visit("weight_observer", options.weight_observer);
  visit("weight_bits", options.weight_bits);
  visit("group_size", options.group_size);
  visit("least_scale", options.least_scale);
  visit("observe_masks", options.observe_masks);
  visit("also", options.also);
  visit("exclude", options.exclude);
  visit("disable_pass", options.disabled_passes);
}

template <typename T>
Json to_json(const T& value) {
  return value;
}
template <typename T>
Json to_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

template <typename T>
void read(const Json& json, T& field) {
  json.get_to(field);
}
template <typename T>
void read(const Json& json, std::optional<T>& field) {
  if (!json.is_null()) field = json.get<T>();
}

}  // namespace

void add_quantizer_options(CLI::App& command, QuantizerOptions& options) {
  with_known_values(
      command.add_option("--quantizer", options.quantizer,
                         fmt::format("Decides what is quantized, for which backend: {}, or several with commas between "
                                     "them (default: xnnpack)",
                                     fmt::join(quantizer_names(), ", "))),
      quantizer_names())
      ->type_name("NAME");
  const auto all_observers = observer_names();
  const std::vector<std::string> observers(all_observers.begin(), all_observers.end());
  with_known_values(
      command.add_option(
          "--observer", options.observer,
          "Chooses the ranges of activations: MinMaxObserver, MSEObserver ... (default: the quantizer's own)"),
      observers)
      ->type_name("NAME");
  command
      .add_option(
          "--weight-observer", options.weight_observer,
          "Chooses the ranges of weights in the same way; one that knows their scheme, per channel or per tensor")
      ->type_name("NAME");
  command.add_flag_callback(
      "--per-channel", [&options] { options.per_channel = true; },
      "A scale for each output channel of a weight: more accurate");
  command
      .add_flag_callback(
          "--per-tensor", [&options] { options.per_channel = false; }, "One scale for each weight")
      ->excludes("--per-channel");
  command.add_flag("--dynamic", options.is_dynamic, "Activations of linear layers get their range at run time");
  command.add_flag("--reduce-range", options.reduce_range,
                   "x86: activations of 7 bits, for processors without VNNI instructions");
  command.add_flag("--symmetric-activations", options.symmetric_activations,
                   "Ranges of activations lie around 0, in int8 with zero point 0: what OpenVINO's transformers are "
                   "fastest with");
  command
      .add_option_function<std::string>(
          "--weight-only",
          [&options](const std::string& dtype) {
            options.quantizer = "weight_only";
            options.weight_bits = dtype == "int4" ? 4 : 8;
          },
          "Quantize the weights of linear layers and nothing else, to int8 or int4: no data needed")
      ->check(CLI::IsMember({"int8", "int4"}))
      ->excludes("--quantizer")
      ->type_name("DTYPE");
  command
      .add_option("--weight-bits", options.weight_bits,
                  "Bits of a weight, 2 to 8 (default: 8); they are stored in int8. Fewer than 8 want "
                  "--adaround or --gptq")
      ->check(CLI::Range(2, 8))
      ->type_name("N");
  command
      .add_option("--least-scale", options.least_scale,
                  "The smallest scale that an observer may choose (default: the backend's, 2^-12 for most)")
      ->check(CLI::PositiveNumber)
      ->type_name("X");
  command
      .add_option("--group-size", options.group_size,
                  "With --weight-only: a scale for each run of N inputs of a weight")
      ->type_name("N")
      ->needs("--weight-only");
  command
      .add_option("--also", options.also,
                  "x86, arm, xpu: quantize an op too that is left in float unless asked for, such as "
                  "aten.matmul.default; may be repeated")
      ->type_name("OP")
      ->allow_extra_args(false);
  command
      .add_option("--exclude", options.exclude,
                  "Leave nodes in float whose name, op or module path matches (* and ? as in a shell); may be repeated")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  with_known_values(command.add_option("--disable-pass", options.disabled_passes,
                                       "Skip a pass (fuse-conv-bn, duplicate-dq ...); may be repeated"),
                    pass_names())
      ->type_name("PASS")
      ->allow_extra_args(false);
}

bool is_quantized(const Program& program) {
  return std::ranges::any_of(explain(program),
                             [](const ExplainedOp& op) { return !op.inputs.empty() || !op.outputs.empty(); });
}

std::unique_ptr<Quantizer> make_quantizer(const QuantizerOptions& options, const Program& program,
                                          const std::string& model) {
  if (is_quantized(program))
    throw UsageError(fmt::format("{} is quantized already: give the float program that it was made from", model));
  for (const std::string& pattern : options.exclude) {
    const NodeFilter filter = pattern_filter(pattern);
    bool found = false;
    for (const Node& node : program.graph().nodes()) found = found || filter(node);
    if (!found)
      throw UsageError(fmt::format(
          "--exclude {}: no node has such a name, op or module path; see 'qdq inspect --full {}'", pattern, model));
  }
  try {
    return quantizer_by_name(options.quantizer, options);
  } catch (const InvalidArgumentError& error) {
    throw UsageError(fmt::format("--quantizer {}: {}", options.quantizer, error.what()));
  }
}

void print_warnings(const PreparedProgram& prepared) {
  for (const std::string& warning : prepared.warnings()) fmt::print(stderr, "qdq: warning: {}\n", warning);
}

Json recipe_json(const QuantizerOptions& options) {
  Json recipe;
  for_each_option(options, [&](const char* key, const auto& value) { recipe[key] = to_json(value); });
  return recipe;
}

QuantizerOptions recipe_from_json(const Json& recipe, const std::string& where) {
  const QuantizerOptions defaults;
  const Json form = recipe_json(defaults);
  if (!recipe.is_object()) throw FormatError(fmt::format("{}: recipe: expected an object", where));
  for (const auto& [key, value] : recipe.items())
    if (!form.contains(key))
      throw FormatError(fmt::format("{}: recipe.{}: this version of qdq knows no such option", where, key));
  QuantizerOptions options;
  for_each_option(options, [&](const std::string_view key, auto& field) {
    const bool is_later = std::find(kLaterKeys.begin(), kLaterKeys.end(), key) != kLaterKeys.end();
    if (is_later && !recipe.contains(key)) return;
    try {
      read(recipe.at(key), field);
    } catch (const Json::exception&) {
      throw FormatError(fmt::format("{}: recipe.{}: expected a value such as {}, found {}", where, key,
                                    form.at(key).dump(), recipe.contains(key) ? recipe.at(key).dump() : "none"));
    }
  });
  return options;
}

}  // namespace qdq::cli
