#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qdq/data.h"
#include "qdq/program.h"

namespace qdq::cli {

// What a program takes as one of its inputs. A copy: it outlives the program.
struct ProgramInput {
  std::string name;
  std::optional<TensorMeta> type;  // of a tensor

  DType dtype(DType otherwise) const { return type ? type->dtype : otherwise; }
  // Throws InvalidArgumentError unless a tensor can be given: all sizes must fit, or with `whole` false those from the
  // second on. Numbers change their width without being asked, but never their kind: an image in uint8 given to a float
  // network has not been normalised. `origin` is where the tensor comes from.
  void check(DType dtype, const Shape& sizes, bool whole, const std::string& origin) const;
};
std::vector<ProgramInput> program_inputs(const Program& program);

// Typical inputs of a program, wherever they come from, read in parts: the memory that they take does not depend on their
// number.
class Samples {
 public:
  // One input of the program with all samples, in the dtype that the program takes.
  struct Input {
    DType dtype;
    Shape sizes;
    bool has_samples;  // the first dimension counts them; else every call gets the whole tensor
  };

  virtual ~Samples() = default;
  Samples(const Samples&) = delete;
  Samples& operator=(const Samples&) = delete;

  const std::vector<Input>& inputs() const { return inputs_; }
  std::int64_t count() const { return count_; }
  // A tensor for each input: its samples first .. first + count.
  virtual std::vector<Tensor> read(std::int64_t first, std::int64_t count) = 0;

 protected:
  Samples() = default;
  std::vector<Input> inputs_;
  std::int64_t count_ = 1;
};

// The arrays of one file. Each input takes the array of its name, or, where no array has an input's name, they are taken in
// order. `whole`: they are the inputs of one call as they are, else the first dimension counts the samples. `origin` is the
// file's name, for messages. Throws InvalidArgumentError for arrays that do not fit the program: number, dtype, rank, sizes.
std::unique_ptr<Samples> array_samples(const Program& program, std::vector<std::unique_ptr<TensorReader>> arrays,
                                       bool whole, const std::string& origin);

// Those of all these files of arrays, one after the other. A file whose arrays have one dimension less than the inputs is
// one sample. Throws as array_samples, and for a file whose sizes differ from those of the first.
std::unique_ptr<Samples> file_samples(const Program& program, std::vector<std::string> files);

// The placeholders of the user inputs, in order.
std::vector<const Node*> input_nodes(const Program& program);

}  // namespace qdq::cli
