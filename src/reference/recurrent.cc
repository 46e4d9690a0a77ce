// Recurrent nets as torch.nn.LSTM, GRU and RNN define them. Gates in the order of their weights' rows: LSTM input, forget,
// cell, output; GRU reset, update, new.
#include <cmath>

#include "reference/eval.h"
#include "reference/matmul.h"

namespace qdq {
namespace {

enum class CellKind { lstm, gru, tanh, relu };

// The weights of one direction of one layer: transposed to [features, gates * hidden], biases [gates * hidden] or undefined.
struct Weights {
  Tensor w_ih;
  Tensor w_hh;
  Tensor b_ih;
  Tensor b_hh;
  Tensor w_hr;  // an LSTM's projection of its output, transposed
};

struct State {
  Tensor h;  // [batch, hidden], or the projection's width
  Tensor c;  // [batch, hidden]; LSTM only
};

template <typename T>
T sigmoid(T x) {
  return T(1) / (T(1) + std::exp(-x));
}

Tensor transposed(const Tensor& matrix, DType dtype) {
  const std::int64_t swapped[] = {1, 0};
  return matrix.to(dtype).permute(swapped).contiguous();
}

// x @ w + b
template <typename T>
Tensor affine(const Call& call, const Tensor& x, const Tensor& w, const Tensor& b) {
  const Tensor product = matmul(call, x, w);
  if (!b.defined()) return product;
  return map<T>(call, product, b, [](T p, T bias) { return p + bias; });
}

// One step. `from_input` [batch, gates * hidden] is what the weights w_ih made of the step's input.
template <typename T>
State advance(const Call& call, CellKind kind, const Weights& weights, const Tensor& from_input, const State& state) {
  const Tensor from_state = affine<T>(call, state.h, weights.w_hh, weights.b_hh);
  if (from_input.sizes() != from_state.sizes()) call.fail("the input's and the state's weights do not fit each other");
  const std::int64_t gates = kind == CellKind::lstm ? 4 : kind == CellKind::gru ? 3 : 1;
  const std::int64_t batch = from_state.size(0);
  const std::int64_t hidden = from_state.size(1) / gates;
  State next{Tensor::empty(dtype_of<T>(), {batch, hidden}), {}};
  if (kind == CellKind::lstm) next.c = Tensor::empty(dtype_of<T>(), {batch, hidden});
  const Tensor previous = (kind == CellKind::lstm ? state.c : state.h).contiguous();
  if (kind != CellKind::tanh && kind != CellKind::relu && previous.sizes() != next.h.sizes())
    call.fail("a state of sizes " + to_string(next.h.sizes()) + " expected, found " + to_string(previous.sizes()));
  for (std::int64_t b = 0; b < batch; ++b) {
    const T* x = from_input.data<T>() + b * gates * hidden;
    const T* s = from_state.data<T>() + b * gates * hidden;
    for (std::int64_t k = 0; k < hidden; ++k) {
      const std::int64_t at = b * hidden + k;
      T& h = next.h.data<T>()[at];
      const auto gate = [&](std::int64_t g) { return x[g * hidden + k] + s[g * hidden + k]; };
      switch (kind) {
        case CellKind::lstm: {
          const T c = sigmoid(gate(1)) * previous.data<T>()[at] + sigmoid(gate(0)) * std::tanh(gate(2));
          next.c.data<T>()[at] = c;
          h = sigmoid(gate(3)) * std::tanh(c);
          break;
        }
        case CellKind::gru: {
          const T candidate = std::tanh(x[2 * hidden + k] + sigmoid(gate(0)) * s[2 * hidden + k]);
          h = (previous.data<T>()[at] - candidate) * sigmoid(gate(1)) + candidate;
          break;
        }
        case CellKind::tanh: h = std::tanh(gate(0)); break;
        case CellKind::relu: h = gate(0) < 0 ? 0 : gate(0); break;
      }
    }
  }
  if (weights.w_hr.defined()) next.h = matmul(call, next.h, weights.w_hr);
  return next;
}

struct Sequence {
  Tensor output;  // [time, batch, hidden]
  State last;
};

// `input` is [time, batch, features].
template <typename T>
Sequence run_direction(const Call& call, CellKind kind, const Weights& weights, const Tensor& input, State state,
                       bool reverse) {
  const std::int64_t time = input.size(0);
  const Tensor from_input = affine<T>(call, input, weights.w_ih, weights.b_ih);
  Tensor output = Tensor::empty(dtype_of<T>(), {time, state.h.size(0), state.h.size(1)});
  for (std::int64_t i = 0; i < time; ++i) {
    const std::int64_t t = reverse ? time - 1 - i : i;
    const Tensor step = from_input.narrow(0, t, 1);
    state = advance<T>(call, kind, weights, step.reshape({step.size(1), step.size(2)}), state);
    output.narrow(0, t, 1).copy_from(state.h.reshape({1, state.h.size(0), state.h.size(1)}));
  }
  return {output, state};
}

// The weights of every layer and direction, in the order of `params`.
std::vector<Weights> weights_of(const Call& call, std::size_t count, bool projects, DType dtype) {
  const bool has_biases = call.boolean("has_biases");
  const std::vector<Tensor> params = call.tensors("params");
  const std::size_t each = 2 + (has_biases ? 2u : 0u) + (projects ? 1u : 0u);
  if (params.size() != count * each)
    call.fail(std::to_string(count * each) + " weights and biases expected, found " + std::to_string(params.size()));
  std::vector<Weights> result;
  for (std::size_t at = 0; at < params.size(); at += each) {
    Weights weights{transposed(params[at], dtype), transposed(params[at + 1], dtype), {}, {}, {}};
    if (has_biases) {
      weights.b_ih = params[at + 2].to(dtype);
      weights.b_hh = params[at + 3].to(dtype);
    }
    if (projects) weights.w_hr = transposed(params[at + each - 1], dtype);
    result.push_back(std::move(weights));
  }
  return result;
}

// Row `layer` of states [layers * directions, batch, hidden].
Tensor state_of(const Tensor& states, std::size_t layer, DType dtype) {
  return states.narrow(0, static_cast<std::int64_t>(layer), 1).to(dtype).reshape({states.size(1), states.size(2)});
}

Tensor stacked(const std::vector<Tensor>& parts, std::int64_t dim, const Shape& sizes, DType dtype) {
  const Tensor out = Tensor::empty(dtype, sizes);
  std::int64_t at = 0;
  for (const Tensor& part : parts) {
    out.narrow(dim, at, part.size(dim)).copy_from(part);
    at += part.size(dim);
  }
  return out;
}

template <CellKind kind>
std::vector<Value> eval_rnn(const Call& call) {
  if (call.boolean("train") && call.number("dropout") > 0)
    call.fail("dropout between layers in training mode: export the model in evaluation mode");
  const Tensor& input = call.tensor("input");
  const std::vector<Tensor> states =
      kind == CellKind::lstm ? call.tensors("hx") : std::vector<Tensor>{call.tensor("hx")};
  const auto layers = static_cast<std::size_t>(call.integer("num_layers"));
  const std::size_t directions = call.boolean("bidirectional") ? 2 : 1;
  for (const Tensor& state : states)
    if (input.dim() != 3 || state.dim() != 3 || state.size(0) != static_cast<std::int64_t>(layers * directions))
      call.fail("an input of 3 dimensions and states [layers * directions, batch, hidden] expected");
  if (states.size() != (kind == CellKind::lstm ? 2 : 1)) call.fail("an LSTM has two states");
  const bool projects = kind == CellKind::lstm && states[0].size(2) != states[1].size(2);
  const bool batch_first = call.boolean("batch_first");
  const std::int64_t swapped[] = {1, 0, 2};
  return with_float_type(input.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    constexpr DType kType = dtype_of<T>();
    const std::vector<Weights> weights = weights_of(call, layers * directions, projects, kType);
    Tensor sequence = contiguous_as<T>(batch_first ? input.permute(swapped) : input);
    std::vector<std::vector<Tensor>> last(states.size());
    for (std::size_t layer = 0; layer < layers; ++layer) {
      std::vector<Tensor> outputs;
      Shape sizes = sequence.sizes();
      sizes[2] = 0;
      for (std::size_t direction = 0; direction < directions; ++direction) {
        const std::size_t row = layer * directions + direction;
        State state{state_of(states[0], row, kType), {}};
        if (kind == CellKind::lstm) state.c = state_of(states[1], row, kType);
        const Sequence result = run_direction<T>(call, kind, weights[row], sequence, std::move(state), direction == 1);
        outputs.push_back(result.output);
        sizes[2] += result.output.size(2);
        last[0].push_back(result.last.h.reshape({1, result.last.h.size(0), result.last.h.size(1)}));
        if (kind == CellKind::lstm)
          last[1].push_back(result.last.c.reshape({1, result.last.c.size(0), result.last.c.size(1)}));
      }
      sequence = stacked(outputs, 2, sizes, kType);
    }
    std::vector<Value> results = {(batch_first ? sequence.permute(swapped) : sequence).to(input.dtype()).contiguous()};
    for (std::size_t i = 0; i < states.size(); ++i)
      results.push_back(stacked(last[i], 0, states[i].sizes(), states[i].dtype()));
    return results;
  });
}

template <CellKind kind>
std::vector<Value> eval_cell(const Call& call) {
  const Tensor& input = call.tensor("input");
  return with_float_type(input.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    constexpr DType kType = dtype_of<T>();
    const auto optional = [&](const char* name) { return call.has(name) ? call.tensor(name).to(kType) : Tensor(); };
    const Weights weights{transposed(call.tensor("w_ih"), kType),
                          transposed(call.tensor("w_hh"), kType),
                          optional("b_ih"),
                          optional("b_hh"),
                          {}};
    State state;
    if constexpr (kind == CellKind::lstm) {
      const std::vector<Tensor> states = call.tensors("hx");
      if (states.size() != 2) call.fail("an LSTM has two states");
      state = {states[0].to(kType), states[1].to(kType)};
    } else {
      state.h = call.tensor("hx").to(kType);
    }
    const Tensor from_input = affine<T>(call, input.to(kType), weights.w_ih, weights.b_ih);
    const State next = advance<T>(call, kind, weights, from_input, state);
    if constexpr (kind == CellKind::lstm) return {next.h.to(input.dtype()), next.c.to(input.dtype())};
    return {next.h.to(input.dtype())};
  });
}

constexpr KernelRow kRows[] = {
    {"aten.lstm.input", eval_rnn<CellKind::lstm>},
    {"aten.gru.input", eval_rnn<CellKind::gru>},
    {"aten.rnn_tanh.input", eval_rnn<CellKind::tanh>},
    {"aten.rnn_relu.input", eval_rnn<CellKind::relu>},
    {"aten.lstm_cell.default", eval_cell<CellKind::lstm>},
    {"aten.gru_cell.default", eval_cell<CellKind::gru>},
    {"aten.rnn_tanh_cell.default", eval_cell<CellKind::tanh>},
    {"aten.rnn_relu_cell.default", eval_cell<CellKind::relu>},
};

}  // namespace

KernelFamily recurrent_kernels() { return kRows; }

}  // namespace qdq
