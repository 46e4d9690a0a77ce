#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qdq/quantizer.h"

namespace qdq {

struct X86ConfigOptions {
  bool is_dynamic = false;
  bool reduce_range = false;  // activations use 7 bits: for x86 CPUs without VNNI, whose int8 products may saturate
};

// uint8 affine activations, int8 weights symmetric per output channel: PyTorch's
// get_default_x86_inductor_quantization_config.
QuantizationConfig x86_config(const X86ConfigOptions& options = {});
// Weights in float16, all else in float32: PyTorch's get_x86_inductor_linear_dynamic_fp16_config.
QuantizationConfig x86_linear_dynamic_fp16_config();
// int8 affine activations, int8 weights symmetric per tensor.
QuantizationConfig arm_config(bool is_dynamic = false);
// int8 affine activations, int8 weights symmetric per output channel.
QuantizationConfig xpu_config();

struct InductorBackend;  // its recipes, in annotate/inductor_recipes.h

// What PyTorch's quantizers for its Inductor compiler have in common. The narrowest setting wins: module names, then module
// types and functions in the order in which they were set, then the global one. A setting without configuration keeps what
// it names in float.
class InductorQuantizer : public Quantizer {
 public:
  using Config = std::optional<QuantizationConfig>;

  // A setting for the same name, class or op replaces the earlier one in its place. All throw InvalidArgumentError when
  // static and dynamic configurations would be mixed.
  InductorQuantizer& set_global(QuantizationConfig config);
  // Patterns that lie in the module of that path as a whole.
  InductorQuantizer& set_module_name(std::string module_name, Config config);
  // Patterns whose convolution or linear lies in a module of that class ("torch.nn.modules.conv.Conv2d").
  InductorQuantizer& set_module_type(std::string qualified_type, Config config);
  // Patterns with one call of `op` ("aten.matmul.default"). Throws InvalidArgumentError for an op without recipe.
  InductorQuantizer& set_function_type(std::string op, Config config);
  // Nodes for which `filter` is true stay in float.
  InductorQuantizer& exclude(NodeFilter filter);
  // As XnnpackQuantizer::set_observe_masks.
  InductorQuantizer& set_observe_masks(bool observe);

  std::string name() const override;
  void annotate(Program& program) override;

 protected:
  explicit InductorQuantizer(const InductorBackend& backend) : backend_(backend) {}

 private:
  struct OpSetting {
    bool is_module_type;
    std::string key;
    Config config;
  };
  InductorQuantizer& set_op(OpSetting setting);
  void check_mode(const Config& config, const std::string& setting) const;

  const InductorBackend& backend_;
  std::optional<QuantizationConfig> global_config_;
  std::vector<OpSetting> op_configs_;
  std::vector<std::pair<std::string, Config>> module_name_configs_;
  std::vector<NodeFilter> excluded_;
  bool observe_masks_ = false;
};

// Convolutions and linears with an addition and an activation behind them, mul of equal shapes, matmul on request; pooling,
// cat and flatten between quantized ops.
class X86Quantizer : public InductorQuantizer {
 public:
  X86Quantizer();
};

// Convolutions with an addition, linears with an activation, matmul on request.
class ArmQuantizer : public InductorQuantizer {
 public:
  ArmQuantizer();
};

// For Intel GPUs: as x86, without max pooling.
class XpuQuantizer : public InductorQuantizer {
 public:
  XpuQuantizer();
};

}  // namespace qdq
