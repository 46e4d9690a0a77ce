#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qdq/io.h"
#include "qdq/program.h"

namespace qdq::cli {

// In the order of their file.
using Arrays = std::vector<NamedTensor>;

// Hands a program's inputs out in batches. Each user input takes the array of its name, or, where no array has an
// input's name, they are taken in order. The first dimension counts the samples.
class Batches {
 public:
  // What becomes of a last batch that is smaller than the batch size that the program insists on.
  enum class Remainder {
    pad,  // filled up with the last sample; samples_in() tells how many count
    drop,
  };

  // `batch_size` empty: the program's own first dimension where it is a number, else 8. 0: the arrays are the inputs of
  // one call as they are. `origin` is the file's name, for messages. Throws InvalidArgumentError for arrays that do not
  // fit the program: number, dtype, rank, sizes.
  Batches(const Program& program, const Arrays& arrays, std::optional<std::int64_t> batch_size, Remainder remainder,
          const std::string& origin);

  // Only the first `samples` samples from here on.
  void limit(std::int64_t samples);

  std::int64_t samples() const { return samples_; }
  std::int64_t batch_size() const { return batch_size_; }
  bool whole() const { return batch_size_ == 0; }
  std::int64_t count() const;
  std::vector<Tensor> batch(std::int64_t index) const;
  // A text that tells this data from other data, as far as sizes and a few samples can.
  std::string identity() const;
  std::int64_t samples_in(std::int64_t index) const;
  std::int64_t dropped() const;  // samples left out by Remainder::drop

 private:
  std::vector<Tensor> inputs_;
  std::int64_t samples_ = 0;
  std::int64_t batch_size_ = 0;
  bool fixed_ = false;  // the program takes no other batch size
  Remainder remainder_;
};

// Puts the results of batches together again along the first dimension.
class Collector {
 public:
  // `whole`: there is one batch and its results are kept as they are.
  Collector(const Program& program, std::int64_t samples, bool whole);
  // Throws InvalidArgumentError for a result without a dimension for the samples.
  void add(const std::vector<Tensor>& results, std::int64_t samples);
  const Arrays& arrays() const { return arrays_; }

 private:
  Arrays arrays_;  // undefined tensors until the first add()
  std::int64_t samples_;
  std::int64_t done_ = 0;
  bool whole_;
};

// Names of the program's user outputs: those of the ops that make them (quantize and dequantize do not count), numbered
// where that is no node.
std::vector<std::string> output_names(const Program& program);
// The placeholders of the user inputs, in order.
std::vector<const Node*> input_nodes(const Program& program);

}  // namespace qdq::cli
