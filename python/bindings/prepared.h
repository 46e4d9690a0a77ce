#pragma once
#include <optional>
#include <utility>

#include "bindings.h"

namespace qdq::python {

// A prepared program until it is converted. convert() consumes the C++ object, the Python one stays and says so. What runs
// without the GIL holds it (InUse), so that no other thread takes it away.
class Prepared {
 public:
  class InUse {
   public:
    explicit InUse(Prepared& prepared) : prepared_(prepared) {
      prepared.get();
      if (std::exchange(prepared.in_use_, true))
        throw InvalidArgumentError("this prepared program is calibrating; wait until that has ended");
    }
    ~InUse() { prepared_.in_use_ = false; }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;

   private:
    Prepared& prepared_;
  };

  explicit Prepared(PreparedProgram prepared) : prepared_(std::move(prepared)) {}

  PreparedProgram& get() {
    if (!prepared_) throw InvalidArgumentError("this prepared program was converted; prepare the program again");
    return *prepared_;
  }
  PreparedProgram take() {
    const InUse alone(*this);
    PreparedProgram taken = std::move(get());
    prepared_.reset();
    return taken;
  }

 private:
  std::optional<PreparedProgram> prepared_;
  bool in_use_ = false;
};

// A batch: an array, or a tuple or list of them.
std::vector<Tensor> tensors_of(nb::handle batch);

// All batches of an iterable. Ctrl-C stops between two.
CalibrationBatches batches_of(const nb::iterable& batches);
// What a preset turns on. Throws InvalidArgumentError for a name that is none.
AccuracyOptions options_of(std::string_view preset);

}  // namespace qdq::python
