// LSTM, GRU and simple recurrent networks; write/recurrent.cc has the orders of the gates.
#include <cstring>

#include "formats/onnx/read/family.h"

namespace qdq::onnx {
namespace {

// Rows of a weight [directions, gates * hidden, ...] for one direction, in torch's order of gates. `half` of two, for the
// biases of input and state, which lie behind each other.
Tensor rows_of(const In& in, std::size_t i, std::int64_t direction, const Shape& order, std::int64_t hidden,
               std::int64_t half = 0) {
  const Tensor* all = in.constant(i);
  if (!all) in.refuse("its weights are computed");
  const auto gates = static_cast<std::int64_t>(order.size());
  const bool fits = all->dim() >= 2 && all->size(1) >= (half + 1) * gates * hidden && direction < all->size(0);
  if (!fits)
    in.refuse("weights of sizes " + to_string(all->sizes()) + " do not fit hidden_size " + std::to_string(hidden));
  Tensor own = all->narrow(0, direction, 1).contiguous();
  Shape sizes(own.sizes().begin() + 1, own.sizes().end());
  own = own.reshape(sizes).narrow(0, half * gates * hidden, gates * hidden).contiguous();
  Tensor result = Tensor::empty(own.dtype(), own.sizes());
  const std::size_t bytes = own.nbytes() / order.size();
  for (std::size_t gate = 0; gate < order.size(); ++gate)
    std::memcpy(result.raw_data() + gate * bytes, own.raw_data() + static_cast<std::size_t>(order[gate]) * bytes,
                bytes);
  return result;
}

void check_activations(const In& in, const std::vector<std::string_view>& expected, std::int64_t directions) {
  const InAttribute* given = in.node.find("activations");
  if (!given) return;
  for (std::size_t i = 0; i < given->strings.size(); ++i)
    if (given->strings[i] != expected[i % expected.size()] ||
        given->strings.size() != expected.size() * static_cast<std::size_t>(directions))
      in.refuse("activations other than torch's");
}

struct Network {
  std::string target;
  Shape order;  // ONNX's place of each of torch's gates
  bool has_cell;
};

void read_network(const In& in, const Network& network) {
  const std::int64_t hidden = in.integer("hidden_size", 0);
  if (hidden < 1 || hidden > INT32_MAX) in.refuse("its hidden_size is missing or no size");
  const std::string direction = in.text("direction", "forward");
  const std::int64_t directions = direction == "bidirectional" ? 2 : 1;
  if (in.has_attribute("clip")) in.refuse("clip");
  if (in.has(4)) in.refuse("sequences of their own lengths (sequence_lens)");
  if (network.has_cell && in.has(7)) in.refuse("peepholes");
  if (in.integer("input_forget", 0) != 0) in.refuse("input_forget");
  const bool batch_first = in.integer("layout", 0) != 0;  // of the input, the states and all results
  const auto swapped = [&](Node& value, const Argument::List& order) -> Node& {
    return batch_first ? in.call("aten.permute.default", {value, order}) : value;
  };
  const auto turned = [&](Node& value) -> Node& {
    return direction == "reverse" ? in.call("aten.flip.default", {value, Argument::List{0}}) : value;
  };
  Node& x = turned(swapped(in.tensor(0), {1, 0, 2}));
  const DType dtype = in.type(x).dtype;

  Argument::List params;
  const bool has_biases = in.has(3);
  const std::string base = identifier(in.node.outputs.front().empty() ? "network" : in.node.outputs.front());
  for (std::int64_t d = 0; d < directions; ++d) {
    const std::string suffix = d == 0 ? "_l0" : "_l0_reverse";
    params.emplace_back(in.attribute(base + ".weight_ih" + suffix, rows_of(in, 1, d, network.order, hidden)));
    params.emplace_back(in.attribute(base + ".weight_hh" + suffix, rows_of(in, 2, d, network.order, hidden)));
    if (!has_biases) continue;
    params.emplace_back(in.attribute(base + ".bias_ih" + suffix, rows_of(in, 3, d, network.order, hidden, 0)));
    params.emplace_back(in.attribute(base + ".bias_hh" + suffix, rows_of(in, 3, d, network.order, hidden, 1)));
  }
  const auto state = [&](std::size_t i) -> Node& {
    if (in.has(i)) return swapped(in.tensor(i), {1, 0, 2});
    const Argument::List sizes{directions, in.size_of(x, 1), hidden};
    return in.call("aten.zeros.default", {Argument(sizes)}, {{"dtype", dtype}});
  };
  Node& h = state(5);
  const Argument states = network.has_cell ? Argument(Argument::List{h, state(6)}) : Argument(h);
  Node& all = in.call(network.target, {x, states, params, has_biases, 1, 0.0, false, directions == 2, false});
  if (in.wants(0)) {
    // [time, batch, directions * hidden] -> [time, directions, batch, hidden], with layout 1 [batch, time, directions, hidden]
    Node& y = turned(in.item(all, 0));
    const Argument::List sizes{in.size_of(y, 0), in.size_of(y, 1), directions, hidden};
    Node& split = in.call("aten.reshape.default", {y, sizes});
    in.result(
        in.call("aten.permute.default", {split, batch_first ? Argument::List{1, 0, 2, 3} : Argument::List{0, 2, 1, 3}}),
        0);
  }
  if (in.wants(1)) in.result(swapped(in.item(all, 1), {1, 0, 2}), 1);
  if (network.has_cell && in.wants(2)) in.result(swapped(in.item(all, 2), {1, 0, 2}), 2);
}

void read_lstm(const In& in) {
  check_activations(in, {"Sigmoid", "Tanh", "Tanh"}, in.text("direction", "forward") == "bidirectional" ? 2 : 1);
  read_network(in, {"aten.lstm.input", {0, 2, 3, 1}, true});
}

void read_gru(const In& in) {
  check_activations(in, {"Sigmoid", "Tanh"}, in.text("direction", "forward") == "bidirectional" ? 2 : 1);
  if (in.integer("linear_before_reset", 0) == 0)
    in.refuse("a GRU that resets before the product (linear_before_reset is 0), which torch does not have");
  read_network(in, {"aten.gru.input", {1, 0, 2}, false});
}

void read_rnn(const In& in) {
  const InAttribute* activations = in.node.find("activations");
  const bool relu = activations && !activations->strings.empty() && activations->strings[0] == "Relu";
  check_activations(in, {relu ? "Relu" : "Tanh"}, in.text("direction", "forward") == "bidirectional" ? 2 : 1);
  read_network(in, {relu ? "aten.rnn_relu.input" : "aten.rnn_tanh.input", {0}, false});
}

constexpr ReadRow kRows[] = {
    {"LSTM", "lstm", read_lstm},
    {"GRU", "gru", read_gru},
    {"RNN", "rnn_tanh, rnn_relu", read_rnn},
};

}  // namespace

ReadFamily read_recurrent_ops() { return kRows; }

}  // namespace qdq::onnx
