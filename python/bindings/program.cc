// Programs and their files.
#include "bindings.h"

namespace qdq::python {
namespace {

TextOptions text_options(bool attributes, bool metadata, bool passthrough, std::string_view data) {
  TextOptions options{.attributes = attributes, .metadata = metadata, .passthrough = passthrough};
  if (data == "none")
    options.data = TextOptions::Data::none;
  else if (data == "all")
    options.data = TextOptions::Data::all;
  else if (data != "small")
    throw InvalidArgumentError("data: 'none', 'small' or 'all' expected, found '" + std::string(data) + "'");
  return options;
}

void bind_attributes(nb::module_& m) {
  nb::enum_<AttributeKind>(m, "AttributeKind")
      .value("parameter", AttributeKind::parameter)
      .value("buffer", AttributeKind::buffer)
      .value("constant", AttributeKind::constant)
      .value("custom_obj", AttributeKind::custom_obj);
  nb::class_<Attribute>(m, "Attribute",
                        "A tensor that belongs to a program: weight, running statistic, lifted literal.")
      .def_ro("name", &Attribute::name)
      .def_ro("kind", &Attribute::kind)
      .def_prop_ro(
          "value",
          [](const Attribute& self) { return self.value.defined() ? std::optional(self.value) : std::nullopt; })
      .def_ro("persistent", &Attribute::persistent, "Buffers: part of the state dict.")
      .def_ro("requires_grad", &Attribute::requires_grad)
      .def("__repr__", [](const Attribute& self) { return "<qdq.Attribute " + self.name + ">"; });

  nb::enum_<OutputSpec::Kind>(m, "OutputKind")
      .value("user_output", OutputSpec::Kind::user_output)
      .value("loss_output", OutputSpec::Kind::loss_output)
      .value("buffer_mutation", OutputSpec::Kind::buffer_mutation)
      .value("user_input_mutation", OutputSpec::Kind::user_input_mutation)
      .value("parameter_mutation", OutputSpec::Kind::parameter_mutation)
      .value("gradient_to_parameter", OutputSpec::Kind::gradient_to_parameter)
      .value("gradient_to_user_input", OutputSpec::Kind::gradient_to_user_input)
      .value("token", OutputSpec::Kind::token);
  nb::class_<OutputSpec>(m, "OutputSpec", "One result of a program: its kind, and what it is written to.")
      .def(
          "__init__",
          [](OutputSpec* self, OutputSpec::Kind kind, std::string target) {
            new (self) OutputSpec{kind, std::move(target)};
          },
          "kind"_a, "target"_a = "")
      .def_ro("kind", &OutputSpec::kind)
      .def_ro("target", &OutputSpec::target);
  nb::enum_<InputSpec::Kind>(m, "InputKind")
      .value("user_input", InputSpec::Kind::user_input)
      .value("constant_input", InputSpec::Kind::constant_input)
      .value("token", InputSpec::Kind::token);
  nb::class_<InputSpec>(m, "InputSpec", "One input of a program.")
      .def(
          "__init__",
          [](InputSpec* self, InputSpec::Kind kind, std::string name, const ArgumentLike& constant) {
            for_each_node(constant.get(), [](const Node& node) {
              throw InvalidArgumentError("constant: a literal expected, no node; found " + node.describe());
            });
            new (self) InputSpec{kind, std::move(name), constant.get()};
          },
          "kind"_a, "name"_a, "constant"_a = nb::none())
      .def_ro("kind", &InputSpec::kind)
      .def_ro("name", &InputSpec::name)
      .def_prop_ro("constant", [](const InputSpec& self) { return argument_to_python(self.constant); });
}

void bind_text(nb::class_<Program>& program) {
  program
      .def(
          "text",
          [](const Program& self, bool attributes, bool metadata, bool passthrough, std::string_view data) {
            return to_text(self, text_options(attributes, metadata, passthrough, data));
          },
          nb::kw_only(), "attributes"_a = false, "metadata"_a = false, "passthrough"_a = false, "data"_a = "small",
          R"(The graph's text form, which qdq.parse_program reads back (docs/graph_text.md).

attributes: a line for each tensor. metadata: what torch.export noted, below its node. passthrough: the JSON beside the
graph. data: which tensors print their values: 'none', 'small' or 'all'.)")
      .def("__str__", [](const Program& self) { return to_text(self); })
      .def("__repr__", [](const Program& self) {
        return "<qdq.Program of " + std::to_string(self.graph().size()) + " nodes and " +
               std::to_string(self.attributes.size()) + " tensors>";
      });
}

}  // namespace

void bind_program(nb::module_& m) {
  bind_attributes(m);
  auto program = nb::class_<Program>(
      m, "Program", "A captured network: graph, tensors and signature. Mirrors torch.export.ExportedProgram.",
      nb::dynamic_attr());
  bind_text(program);
  program.def(nb::init<>())
      .def_prop_ro("graph", [](Program& self) { return self.graph().shared_from_this(); })
      .def_prop_rw(
          "inputs", [](const Program& self) { return self.inputs; },
          [](Program& self, std::vector<InputSpec> inputs) { self.inputs = std::move(inputs); })
      .def_prop_rw(
          "outputs", [](const Program& self) { return self.outputs; },
          [](Program& self, std::vector<OutputSpec> outputs) { self.outputs = std::move(outputs); })
      .def_prop_ro(
          "attributes",
          [](const Program& self) { return std::vector<Attribute>(self.attributes.begin(), self.attributes.end()); },
          "The tensors, in order.")
      .def(
          "tensor", [](const Program& self, std::string_view name) { return self.attributes.tensor(name); }, "name"_a,
          "The tensor of that dotted name. Raises InvalidArgumentError when there is none.")
      .def(
          "add_attribute",
          [](Program& self, std::string name, AttributeKind kind, const ArrayLike& value, bool persistent,
             bool requires_grad, std::string lifted_name) {
            self.attributes.add(
                {std::move(name), kind, value.get(), persistent, requires_grad, std::move(lifted_name)});
          },
          "name"_a, "kind"_a, "value"_a, "persistent"_a = true, "requires_grad"_a = false, "lifted_name"_a = "",
          "Raises InvalidArgumentError when the name is taken.")
      .def_prop_rw(
          "range_constraints",
          [](const Program& self) {
            std::map<std::string, std::pair<std::optional<std::int64_t>, std::optional<std::int64_t>>> ranges;
            for (const auto& [symbol, range] : self.range_constraints) ranges[symbol] = {range.min, range.max};
            return ranges;
          },
          [](Program& self,
             const std::map<std::string, std::pair<std::optional<std::int64_t>, std::optional<std::int64_t>>>& ranges) {
            self.range_constraints.clear();
            for (const auto& [symbol, range] : ranges) self.range_constraints[symbol] = {range.first, range.second};
          },
          "The (smallest, largest) value of each symbol; None where there is no bound.")
      .def_prop_rw(
          "passthrough", [](const Program& self) { return self.passthrough; },
          [](Program& self, Passthrough passthrough) { self.passthrough = std::move(passthrough); },
          "JSON texts that a .pt2 file carries beside the graph.")
      .def("clone", clone_with_annotations, "A copy that shares the tensors.")
      .def(
          "to_exported_program",
          [](nb::object self) { return nb::module_::import_("qdq").attr("to_exported_program")(self); },
          nb::sig("def to_exported_program(self) -> torch.export.ExportedProgram"),
          "qdq.to_exported_program(self): a torch.export.ExportedProgram that shares the tensors.")
      .def(
          "_replace_with", [](Program& self, Program& other) { self = taken(other); }, "other"_a,
          "Takes over what `other` holds; `other` is empty afterwards.");

  m.def(
      "load",
      [](const std::filesystem::path& path, bool verify_weights) {
        return load(path, {.verify_weights = verify_weights});
      },
      "path"_a, "verify_weights"_a = false, nb::call_guard<nb::gil_scoped_release>(),
      R"(Reads a program; the extension says the format (.pt2 is what torch.export.save writes, .onnx is ONNX).

Weights are mapped from the file. verify_weights: compare their checksums, which reads them all.
Raises IoError when the file cannot be opened, FormatError when it is damaged, InvalidArgumentError for an unknown
extension.)");
  m.def(
      "save",
      [](const Program& saved, const std::filesystem::path& path, std::int64_t opset, bool keep_int8,
         bool round_biases) {
        save(saved, path, {.opset = opset, .keep_int8 = keep_int8, .round_biases = round_biases});
      },
      "program"_a, "path"_a, nb::kw_only(), "opset"_a = SaveOptions().opset, "keep_int8"_a = false,
      "round_biases"_a = false, nb::call_guard<nb::gil_scoped_release>(),
      R"(Writes a program; the extension says the format. The file appears when it is complete.

Of ONNX files: opset is the version of its operators, 13 to 23. keep_int8: activations in int8 stay int8. By default they
become uint8 with a zero point higher by 128: the same numbers, for kernels that want them so. round_biases: biases become
multiples of input scale * weight scale, which is all that int8 kernels with int32 biases keep of them.
Raises IoError, InvalidArgumentError for an unknown extension, and FormatError, which names the node, for a graph that the
format cannot express.)");
  m.def(
      "_read_pt2_model",
      [](const std::string& json, const std::vector<std::tuple<std::string, ArrayLike, bool>>& tensors) {
        std::vector<MemoryTensor> named;
        for (const auto& [name, value, requires_grad] : tensors) named.push_back({name, value.get(), requires_grad});
        return read_pt2_model(json, named);
      },
      "json"_a, "tensors"_a, "A program from torch's JSON and (name, tensor, requires_grad) triples.");
  m.def("_write_pt2_model", &write_pt2_model, "program"_a, "The program's JSON as torch.export writes it.");
  m.def("parse_program", &parse_program, "text"_a, "where"_a = "text",
        "The program of a text form. Raises FormatError with line and column.");
  m.def(
      "load_tensors",
      [](const std::filesystem::path& path) {
        std::vector<std::pair<std::string, Tensor>> tensors;
        for (auto& [name, value] : load_tensors(path)) tensors.emplace_back(std::move(name), std::move(value));
        return tensors;
      },
      "path"_a, "The (name, tensor) pairs of a .npy, .npz or .safetensors file, mapped where the file allows it.");
}

}  // namespace qdq::python
