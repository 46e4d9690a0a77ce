#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/samples.h"
#include "qdq/io.h"
#include "qdq/program.h"

namespace qdq::cli {

// In the order of their file.
using Arrays = std::vector<NamedTensor>;

// Hands samples out in batches.
class Batches {
 public:
  // What becomes of a last batch that is smaller than the batch size that the program insists on.
  enum class Remainder {
    pad,  // filled up with the last sample; samples_in() tells how many count
    drop,
  };

  // `batch_size` empty: the program's own first dimension where it is a number, else 8. 0: `samples` are the inputs of one
  // call as they are. Throws InvalidArgumentError for a batch size that the program cannot take.
  Batches(const Program& program, std::unique_ptr<Samples> samples, std::optional<std::int64_t> batch_size,
          Remainder remainder);

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
  std::unique_ptr<Samples> source_;
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

}  // namespace qdq::cli
