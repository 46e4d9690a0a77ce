// LSTM, GRU and simple recurrent networks. torch and ONNX put the gates into the weights in another order:
//
//     LSTM   torch: input, forget, cell, output      ONNX: input, output, forget, cell
//     GRU    torch: reset, update, new               ONNX: update, reset, hidden
#include <algorithm>
#include <cstring>

#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

struct Kind {
  const char* onnx;
  std::vector<std::int64_t> gates;  // torch's gates in ONNX's order
  bool has_cell;
  const char* activation;  // of simple networks
};
Kind kind_of(const Op& op) {
  const std::string& target = op.node.target();
  if (target.starts_with("aten.lstm")) return {"LSTM", {0, 3, 1, 2}, true, ""};
  if (target.starts_with("aten.gru")) return {"GRU", {1, 0, 2}, false, ""};
  return {"RNN", {0}, false, target.find("relu") == std::string::npos ? "Tanh" : "Relu"};
}

using Parts = std::vector<const Argument*>;  // of one direction, put together along the first dimension

// Rows of `from` in the order of `gates`, to `to`.
std::byte* copy_gates(const Tensor& from, const std::vector<std::int64_t>& gates, std::byte* to) {
  const Tensor dense = from.contiguous();
  const std::size_t bytes = dense.nbytes() / gates.size();
  for (const std::int64_t gate : gates) {
    std::memcpy(to, dense.raw_data() + static_cast<std::size_t>(gate) * bytes, bytes);
    to += bytes;
  }
  return to;
}

// [directions, parts * gates * hidden, ...]: stored when all parts are attributes, else computed.
Name parameter(const Op& op, const std::vector<Parts>& directions, const Kind& kind) {
  const Program& program = op.emitter().program();
  std::vector<Tensor> values;
  for (const Parts& parts : directions)
    for (const Argument* part : parts)
      if (const Node* producer = part->node(); producer && producer->kind() == NodeKind::get_attr)
        values.push_back(program.tensor_of(*producer));
  const std::size_t count = directions.size() * directions[0].size();
  if (values.size() == count) {
    Shape sizes = values[0].sizes();
    const DType dtype = values[0].dtype();
    sizes[0] *= static_cast<std::int64_t>(directions[0].size());
    sizes.insert(sizes.begin(), static_cast<std::int64_t>(directions.size()));
    return op.emitter().initializer(directions[0][0]->node()->target() + "_gates", dtype, sizes,
                                    [values, sizes, dtype, gates = kind.gates] {
                                      Tensor all = Tensor::empty(dtype, sizes);
                                      std::byte* to = all.raw_data();
                                      for (const Tensor& value : values) to = copy_gates(value, gates, to);
                                      return all;
                                    });
  }
  Names stacked;
  for (const Parts& parts : directions) {
    Names rows;
    for (const Argument* part : parts) {
      const Name weight = op.value(*part, op.result().dtype);
      const auto hidden = op.result(1).sizes.back().value;
      if (kind.gates.size() == 1) {
        rows.push_back(weight);
        continue;
      }
      const Names gates = op.emit_many("Split", {weight, op.ints(Shape(kind.gates.size(), hidden))}, kind.gates.size(),
                                       {{"axis", std::int64_t{0}}});
      for (const std::int64_t gate : kind.gates) rows.push_back(gates[static_cast<std::size_t>(gate)]);
    }
    stacked.push_back(op.unsqueeze(op.emit("Concat", rows, {{"axis", std::int64_t{0}}}), {0}));
  }
  return op.emit("Concat", stacked, {{"axis", std::int64_t{0}}});
}

Name layer_of(const Op& op, const Name& states, std::int64_t layer, std::int64_t layers, std::int64_t directions) {
  if (layers == 1) return states;
  return op.emit("Slice", {states, op.ints({layer * directions}), op.ints({(layer + 1) * directions}), op.ints({0})});
}

Name joined(const Op& op, const Names& layers) {
  return layers.size() == 1 ? layers[0] : op.emit("Concat", layers, {{"axis", std::int64_t{0}}});
}

Names write_rnn(const Op& op) {
  const Kind kind = kind_of(op);
  if (op.rank("input") != 3) op.refuse("a recurrent network without a batch");
  if (op.call.boolean("train") && op.call.number("dropout") != 0) op.refuse("dropout between layers is random");
  const bool has_biases = op.call.boolean("has_biases"), batch_first = op.call.boolean("batch_first");
  const std::int64_t layers = op.call.integer("num_layers");
  const std::int64_t directions = op.call.boolean("bidirectional") ? 2 : 1;
  const SymInt& hidden = op.result(1).sizes.back();
  const Argument::List& params = *op.argument("params").list();
  const std::size_t each = has_biases ? 4 : 2;
  if (params.size() != static_cast<std::size_t>(layers * directions) * each)
    op.refuse("a recurrent network with projections");

  Name h0, c0;
  if (kind.has_cell) {
    const Names states = op.all_in("hx");
    h0 = states.at(0);
    c0 = states.at(1);
  } else {
    h0 = op.in("hx");
  }
  Name value = batch_first ? op.transpose(op.in("input"), {1, 0, 2}) : op.in("input");
  Names last_h, last_c;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    std::vector<Parts> w, r, b;
    for (std::int64_t direction = 0; direction < directions; ++direction) {
      const Argument* own = &params[static_cast<std::size_t>(layer * directions + direction) * each];
      w.push_back({own});
      r.push_back({own + 1});
      if (has_biases) b.push_back({own + 2, own + 3});
    }
    NodeAttributes attributes{{"hidden_size", hidden.value},
                              {"direction", std::string(directions == 2 ? "bidirectional" : "forward")}};
    if (kind.onnx == std::string_view("GRU")) attributes.emplace_back("linear_before_reset", std::int64_t{1});
    Names inputs{value,
                 parameter(op, w, kind),
                 parameter(op, r, kind),
                 has_biases ? parameter(op, b, kind) : "",
                 "",
                 layer_of(op, h0, layer, layers, directions)};
    if (kind.has_cell) inputs.push_back(layer_of(op, c0, layer, layers, directions));
    if (kind.onnx == std::string_view("RNN"))
      attributes.emplace_back("activations",
                              std::vector<std::string>(static_cast<std::size_t>(directions), kind.activation));
    const Names outputs = op.emit_many(kind.onnx, inputs, kind.has_cell ? 3 : 2, attributes);
    // [time, directions, batch, hidden] -> [time, batch, directions * hidden]
    value = directions == 1 ? op.squeeze(outputs[0], {1})
                            : op.reshape(op.transpose(outputs[0], {0, 2, 1, 3}), {0, 0, 2 * hidden.value});
    last_h.push_back(outputs[1]);
    if (kind.has_cell) last_c.push_back(outputs[2]);
  }
  Names results{batch_first ? op.transpose(value, {1, 0, 2}) : value, joined(op, last_h)};
  if (kind.has_cell) results.push_back(joined(op, last_c));
  return results;
}

// One step: linear(input, w_ih, b_ih) and linear(state, w_hh, b_hh), split into the gates.
struct CellGates {
  Names input;
  Names state;
};
CellGates cell_gates(const Op& op, const Name& state, std::size_t count) {
  if (op.rank("input") != 2) op.refuse("a recurrent cell without a batch");
  const auto hidden = op.call.tensor("w_hh").size(1);
  const auto gates = [&](const Name& x, const char* weight, const char* bias) {
    const Name all = op.emit("Gemm", {x, op.in(weight), op.in(bias)}, {{"transB", std::int64_t{1}}});
    if (count == 1) return Names{all};
    return op.emit_many("Split", {all, op.ints(Shape(count, hidden))}, count, {{"axis", std::int64_t{1}}});
  };
  return {gates(op.in("input"), "w_ih", "b_ih"), gates(state, "w_hh", "b_hh")};
}

Names write_lstm_cell(const Op& op) {
  const Names states = op.all_in("hx");
  const CellGates gates = cell_gates(op, states.at(0), 4);
  const auto gate = [&](std::size_t i, const char* activation) {
    return op.emit(activation, {op.emit("Add", {gates.input[i], gates.state[i]})});
  };
  const Name in = gate(0, "Sigmoid"), forget = gate(1, "Sigmoid"), cell = gate(2, "Tanh"), out = gate(3, "Sigmoid");
  const Name kept = op.emit("Mul", {forget, states.at(1)});
  const Name c = op.emit("Add", {kept, op.emit("Mul", {in, cell})});
  return {op.emit("Mul", {out, op.emit("Tanh", {c})}), c};
}

// new = tanh(in_new + reset * state_new), h = new + update * (state - new)
Names write_gru_cell(const Op& op) {
  const Name state = op.in("hx");
  const CellGates gates = cell_gates(op, state, 3);
  const auto sigmoid = [&](std::size_t i) {
    return op.emit("Sigmoid", {op.emit("Add", {gates.input[i], gates.state[i]})});
  };
  const Name reset = sigmoid(0), update = sigmoid(1);
  const Name hidden = op.emit("Mul", {reset, gates.state[2]});
  const Name fresh = op.emit("Tanh", {op.emit("Add", {gates.input[2], hidden})});
  return {op.emit("Add", {fresh, op.emit("Mul", {update, op.emit("Sub", {state, fresh})})})};
}

Names write_simple_cell(const Op& op) {
  const CellGates gates = cell_gates(op, op.in("hx"), 1);
  return {op.emit(kind_of(op).activation, {op.emit("Add", {gates.input[0], gates.state[0]})})};
}

constexpr WriteRow kRows[] = {
    {"aten.lstm.input", "LSTM", write_rnn},
    {"aten.gru.input", "GRU", write_rnn},
    {"aten.rnn_tanh.input", "RNN", write_rnn},
    {"aten.rnn_relu.input", "RNN", write_rnn},
    {"aten.lstm_cell.default", "Gemm, Split, Sigmoid, Tanh, Mul, Add", write_lstm_cell},
    {"aten.gru_cell.default", "Gemm, Split, Sigmoid, Tanh, Mul, Add", write_gru_cell},
    {"aten.rnn_tanh_cell.default", "Gemm, Add, Tanh", write_simple_cell},
    {"aten.rnn_relu_cell.default", "Gemm, Add, Relu", write_simple_cell},
};

}  // namespace

WriteFamily write_recurrent_ops() { return kRows; }

}  // namespace qdq::onnx
