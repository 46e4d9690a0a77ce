#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "qdq/quantizer.h"

namespace qdq {

using NodePredicate = bool (*)(const Node&);

// What the second operand of a fused addition becomes.
enum class Addend : std::uint8_t { none, in_float, quantized };

// op(input, weight[, bias]) [-> batch norm] [-> add] [-> activation]
struct WeightedRecipe {
  const char* name;  // "conv_add_relu"
  NodePredicate op;
  Addend addend = Addend::none;
  NodePredicate activation = nullptr;  // null: none
  bool has_batch_norm = false;         // for training; its last op has an output spec
};

// The recipes of one backend: tables, so that backends differ by rows.
struct InductorBackend {
  const char* name;
  std::span<const WeightedRecipe> recipes;  // fusions before their parts
  bool quantizes_mul = false;
  std::span<const std::string_view> propagates{};  // ops that stay in int8 when their inputs are
  std::span<const std::string_view> declines{};    // ... of these, those without an int8 kernel
};

extern const InductorBackend kX86Backend;
extern const InductorBackend kArmBackend;
extern const InductorBackend kXpuBackend;

// Ops that the backend quantizes without being asked; and those that it can quantize, which are more (matmul).
bool is_default_op(const InductorBackend& backend, std::string_view target);
bool is_quantizable_op(const InductorBackend& backend, std::string_view target);
std::string quantizable_ops(const InductorBackend& backend);  // for messages

// Chooses patterns: `op` is the one that multiplies (or the only one), `pattern` all of them.
using PatternFilter = std::function<bool(const Node& op, std::span<Node* const> pattern)>;

// Runs the recipes of a backend over one program, for one setting after the other.
class RecipeRunner {
 public:
  RecipeRunner(Program& program, const InductorBackend& backend) : graph_(program.graph()), backend_(backend) {}

  // Annotates what is free and passes the filter. Without a configuration such patterns are taken and stay in float,
  // `setting` ("set_module_name") being the reason.
  void run(const std::optional<QuantizationConfig>& config, const PatternFilter& filter, const std::string& setting);
  // Ops that stay in int8 get an output, which shares the observer of their first input. Call it once, at the end.
  void share_outputs();

 private:
  void run_recipe(const WeightedRecipe& recipe);
  void match(const WeightedRecipe& recipe, Node& op);
  void apply(const WeightedRecipe& recipe, Node& op, Node* bn, Node* add, Node* activation);
  void annotate_products();
  void propagate();
  bool may_propagate(Node& node);
  // False if the pattern is taken or not wanted. Without a configuration it is taken now.
  bool claim(Node& op, std::span<Node* const> pattern);

  Graph& graph_;
  const InductorBackend& backend_;
  const std::optional<QuantizationConfig>* config_ = nullptr;
  const PatternFilter* filter_ = nullptr;
  const std::string* setting_ = nullptr;
};

}  // namespace qdq
