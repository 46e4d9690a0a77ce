#pragma once
#include <optional>
#include <utility>

#include "bindings.h"

namespace qdq::python {

// A prepared program until it is converted. convert() consumes the C++ object, the Python one stays and says so.
class Prepared {
 public:
  explicit Prepared(PreparedProgram prepared) : prepared_(std::move(prepared)) {}

  PreparedProgram& get() {
    if (!prepared_) throw InvalidArgumentError("this prepared program was converted; prepare the program again");
    return *prepared_;
  }
  PreparedProgram take() {
    PreparedProgram taken = std::move(get());
    prepared_.reset();
    return taken;
  }

 private:
  std::optional<PreparedProgram> prepared_;
};

// A batch: an array, or a tuple or list of them.
std::vector<Tensor> tensors_of(nb::handle batch);

// All batches of an iterable. Ctrl-C stops between two.
CalibrationBatches batches_of(const nb::iterable& batches);
// What a preset turns on. Throws InvalidArgumentError for a name that is none.
AccuracyOptions options_of(std::string_view preset);

}  // namespace qdq::python
