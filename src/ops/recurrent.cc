#include "ops/family.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

// input [batch, time, features] with batch_first, else [time, batch, features]; unbatched without the batch. The output's
// features are the last state's, once per direction.
std::vector<Value> infer_rnn(const Call& call) {
  const Tensor& input = call.tensor("input");
  const bool is_lstm = call.schema().returns.size() == 3;
  const std::vector<Tensor> states = is_lstm ? call.tensors("hx") : std::vector<Tensor>{call.tensor("hx")};
  if (input.dim() < 2 || states.empty()) call.fail("an input of at least 2 dimensions and a state expected");
  Shape sizes = input.sizes();
  sizes.back() = states[0].size(-1) * (call.boolean("bidirectional") ? 2 : 1);
  std::vector<Value> results = {meta_value(input.dtype(), std::move(sizes))};
  for (const Tensor& state : states) results.push_back(meta_value(state.dtype(), state.sizes()));
  return results;
}

// A cell's new states are like its old ones.
std::vector<Value> infer_lstm_cell(const Call& call) {
  std::vector<Value> results;
  for (const Tensor& state : call.tensors("hx")) results.push_back(meta_value(state.dtype(), state.sizes()));
  return results;
}

std::vector<Value> infer_cell(const Call& call) {
  const Tensor& state = call.tensor("hx");
  return {meta_value(state.dtype(), state.sizes())};
}

constexpr OpRow kRows[] = {
    {"aten::lstm.input(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float "
     "dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor, Tensor)",
     infer_rnn},
    {"aten::gru.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float "
     "dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
     infer_rnn},
    {"aten::rnn_tanh.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float "
     "dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
     infer_rnn},
    {"aten::rnn_relu.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float "
     "dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
     infer_rnn},
    {"aten::lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? "
     "b_hh=None) -> (Tensor, Tensor)",
     infer_lstm_cell},
    {"aten::gru_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) "
     "-> Tensor",
     infer_cell},
    {"aten::rnn_tanh_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? "
     "b_hh=None) -> Tensor",
     infer_cell},
    {"aten::rnn_relu_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? "
     "b_hh=None) -> Tensor",
     infer_cell},
};

}  // namespace

OpFamily recurrent_ops() { return kRows; }

}  // namespace qdq
