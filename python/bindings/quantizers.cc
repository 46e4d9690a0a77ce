// The quantizers that come with qdq and their configurations.
#include "bindings.h"

namespace qdq::python {
namespace {

void bind_config(nb::module_& m) {
  using C = QuantizationConfig;
  using Spec = std::optional<QuantizationSpec>;
  nb::class_<C>(m, "QuantizationConfig",
                "What a backend asks for: one spec per role; a role that is None stays in float.")
      .def(
          "__init__",
          [](C* self, Spec input, Spec output, Spec weight, Spec bias, bool is_qat) {
            new (self) C{std::move(input), std::move(output), std::move(weight), std::move(bias), is_qat};
          },
          "input_activation"_a = nb::none(), "output_activation"_a = nb::none(), "weight"_a = nb::none(),
          "bias"_a = nb::none(), "is_qat"_a = false)
      .def_ro("input_activation", &C::input_activation)
      .def_ro("output_activation", &C::output_activation)
      .def_ro("weight", &C::weight)
      .def_ro("bias", &C::bias)
      .def_ro("is_qat", &C::is_qat);
  m.def(
      "symmetric_config",
      [](bool per_channel, bool is_dynamic, std::int64_t act_qmin, std::int64_t act_qmax, std::int64_t weight_qmin,
         std::int64_t weight_qmax) {
        return symmetric_config({.per_channel = per_channel,
                                 .is_dynamic = is_dynamic,
                                 .act_qmin = act_qmin,
                                 .act_qmax = act_qmax,
                                 .weight_qmin = weight_qmin,
                                 .weight_qmax = weight_qmax});
      },
      "per_channel"_a = false, "is_dynamic"_a = false, "act_qmin"_a = -128, "act_qmax"_a = 127, "weight_qmin"_a = -127,
      "weight_qmax"_a = 127, "XNNPACK's: int8 affine activations, int8 symmetric weights.");
  m.def(
      "x86_config",
      [](bool is_dynamic, bool reduce_range) {
        return x86_config({.is_dynamic = is_dynamic, .reduce_range = reduce_range});
      },
      "is_dynamic"_a = false, "reduce_range"_a = false,
      "uint8 affine activations, int8 weights symmetric per output channel.");
  m.def("x86_linear_dynamic_fp16_config", &x86_linear_dynamic_fp16_config, "Weights in float16, all else in float32.");
  m.def("arm_config", &arm_config, "is_dynamic"_a = false,
        "int8 affine activations, int8 weights symmetric per tensor.");
  m.def("xpu_config", &xpu_config, "int8 affine activations, int8 weights symmetric per output channel.");
  m.def("embedding_config", &embedding_config, "uint8 with a float scale and zero point for each row of the table.");
}

template <typename Q>
void bind_inductor(nb::module_& m, const char* name, const char* doc) {
  using Config = InductorQuantizer::Config;
  nb::class_<Q, Quantizer>(m, name, doc)
      .def(nb::init<>())
      .def(
          "set_global", [](Q& self, QuantizationConfig config) { self.set_global(std::move(config)); }, "config"_a)
      .def(
          "set_module_name",
          [](Q& self, std::string path, Config config) { self.set_module_name(std::move(path), std::move(config)); },
          "module_name"_a, "config"_a.none(), "None keeps what it names in float.")
      .def(
          "set_module_type",
          [](Q& self, std::string type, Config config) { self.set_module_type(std::move(type), std::move(config)); },
          "qualified_type"_a, "config"_a.none())
      .def(
          "set_function_type",
          [](Q& self, std::string op, Config config) { self.set_function_type(std::move(op), std::move(config)); },
          "op"_a, "config"_a.none(), "Raises InvalidArgumentError for an op without recipe.")
      .def(
          "exclude", [](Q& self, std::string glob) { self.exclude(pattern_filter(std::move(glob))); }, "pattern"_a,
          "Nodes whose name, op or module path matches a shell pattern stay in float.")
      .def(
          "set_observe_masks", [](Q& self, bool observe) { self.set_observe_masks(observe); }, "observe"_a);
}

void bind_xnnpack(nb::module_& m) {
  using Q = XnnpackQuantizer;
  nb::class_<Q, Quantizer>(m, "XnnpackQuantizer", "PyTorch's XNNPACKQuantizer.")
      .def(nb::init<>())
      .def(
          "set_global", [](Q& self, QuantizationConfig config) { self.set_global(std::move(config)); }, "config"_a)
      .def(
          "set_module_type",
          [](Q& self, std::string type, QuantizationConfig config) {
            self.set_module_type(std::move(type), std::move(config));
          },
          "qualified_type"_a, "config"_a)
      .def(
          "set_module_name",
          [](Q& self, std::string name, QuantizationConfig config) {
            self.set_module_name(std::move(name), std::move(config));
          },
          "module_name"_a, "config"_a)
      .def(
          "exclude", [](Q& self, std::string glob) { self.exclude(pattern_filter(std::move(glob))); }, "pattern"_a,
          "Nodes whose name, op or module path matches a shell pattern stay in float.")
      .def(
          "set_observe_masks", [](Q& self, bool observe) { self.set_observe_masks(observe); }, "observe"_a);
  m.def(
      "op_annotators",
      [] {
        std::vector<std::string> names;
        for (const OpAnnotator& row : op_annotators()) names.emplace_back(row.name);
        return names;
      },
      "The names of XNNPACK's annotators, fusions before their parts.");
  m.def(
      "annotate_op",
      [](std::string_view name, Program& program, const QuantizationConfig& config,
         std::optional<std::function<bool(std::shared_ptr<Node>)>> filter) {
        NodeFilter chosen;
        if (filter)
          chosen = [&](const Node& node) {
            return (*filter)(shared(const_cast<Node*>(&node)));
          };  // NOLINT: Node is not const in Python
        std::vector<std::vector<std::shared_ptr<Node>>> partitions;
        for (const auto& partition : op_to_annotator(name)(program, config, chosen))
          partitions.push_back(shared(partition));
        return partitions;
      },
      "name"_a, "program"_a, "config"_a, "filter"_a = nb::none(),
      R"(Runs one of XNNPACK's annotators. Returns the partitions that it annotated, output node first.

Raises InvalidArgumentError for an unknown name.)");
  m.def("propagate_annotation", &propagate_annotation, "program"_a,
        "Ops that only pass values on take over the output spec of their annotated producer.");
}

}  // namespace

void bind_quantizers(nb::module_& m) {
  bind_config(m);
  bind_xnnpack(m);
  bind_inductor<X86Quantizer>(m, "X86Quantizer", "PyTorch's X86InductorQuantizer.");
  bind_inductor<ArmQuantizer>(m, "ArmQuantizer", "PyTorch's ArmInductorQuantizer.");
  bind_inductor<XpuQuantizer>(m, "XpuQuantizer", "PyTorch's XPUInductorQuantizer.");
  nb::class_<EmbeddingQuantizer, Quantizer>(m, "EmbeddingQuantizer", "The tables of embeddings, nothing else.")
      .def(nb::init<>());
  nb::class_<WeightOnlyQuantizer, Quantizer>(m, "WeightOnlyQuantizer",
                                             "Weights of convolutions and linears, nothing else.")
      .def(
          "__init__",
          [](WeightOnlyQuantizer* self, std::int64_t bits, std::optional<std::int64_t> group_size) {
            new (self) WeightOnlyQuantizer(WeightOnlyOptions{.bits = bits, .group_size = group_size});
          },
          "bits"_a = 8, "group_size"_a = nb::none());
  m.def(
      "quantizer_by_name",
      [](std::string_view name, std::optional<bool> per_channel, bool is_dynamic, bool reduce_range,
         bool symmetric_activations, std::optional<std::string> observer, std::optional<std::string> weight_observer,
         std::int64_t weight_bits, std::optional<std::int64_t> group_size, std::optional<double> least_scale,
         bool observe_masks, std::vector<std::string> also,
         std::vector<std::string> exclude) -> std::shared_ptr<Quantizer> {
        return quantizer_by_name(name, {.per_channel = per_channel,
                                        .is_dynamic = is_dynamic,
                                        .reduce_range = reduce_range,
                                        .symmetric_activations = symmetric_activations,
                                        .observer = std::move(observer),
                                        .weight_observer = std::move(weight_observer),
                                        .weight_bits = weight_bits,
                                        .group_size = group_size,
                                        .least_scale = least_scale,
                                        .observe_masks = observe_masks,
                                        .also = std::move(also),
                                        .exclude = std::move(exclude)});
      },
      "name"_a, nb::kw_only(), "per_channel"_a = nb::none(), "is_dynamic"_a = false, "reduce_range"_a = false,
      "symmetric_activations"_a = false, "observer"_a = nb::none(), "weight_observer"_a = nb::none(),
      "weight_bits"_a = 8, "group_size"_a = nb::none(), "least_scale"_a = nb::none(), "observe_masks"_a = false,
      "also"_a = std::vector<std::string>{}, "exclude"_a = std::vector<std::string>{},
      R"('xnnpack', 'x86', 'arm', 'xpu', 'embedding', 'weight_only', or several as 'embedding,x86'.

Raises InvalidArgumentError for an unknown name and for an option that the quantizer does not have.)");
  m.def("quantizer_names", &quantizer_names, "The names that quantizer_by_name knows.");
}

}  // namespace qdq::python
