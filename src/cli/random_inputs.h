#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "qdq/program.h"

namespace qdq::cli {

struct RandomInputs {
  std::vector<Tensor> inputs;  // one for each user input, in order
  std::int64_t samples = 1;    // first dimension of the first input that has one
};

// Inputs of the program's own dtypes and sizes, the same in every run: floats from a normal distribution, integers 0 or
// 1 (indices that every table has), bools true. Symbolic sizes take the value of the export, except the first
// dimension, which becomes `batch` wherever the same symbol stands (1 when it is empty). Throws InvalidArgumentError for
// a batch that the program does not take and for inputs that are no tensors.
RandomInputs random_inputs(const Program& program, std::optional<std::int64_t> batch);

}  // namespace qdq::cli
