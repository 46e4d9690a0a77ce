#pragma once
#include <span>
#include <vector>

#include "ops/call.h"
#include "qdq/program.h"

namespace qdq {

// Checks user inputs against the program's placeholders and returns one value per placeholder: tensors, numbers for
// symbolic ints, constants. Throws InvalidArgumentError, naming the input, for a wrong number, dtype, rank or size, for a
// size outside its symbol's range and for a symbol with two values.
std::vector<Value> bind_inputs(const Program& program, const std::vector<Tensor>& inputs);
// The same for callers that bind often: `placeholders` are the graph's, which are found by walking it.
std::vector<Value> bind_inputs(const Program& program, std::span<Node* const> placeholders,
                               const std::vector<Tensor>& inputs);

// Throws InvalidArgumentError, naming the input, for a NaN in one. `tensors`: one for each placeholder, or undefined.
void refuse_nan(std::span<Node* const> placeholders, std::span<const Tensor> tensors);

}  // namespace qdq
