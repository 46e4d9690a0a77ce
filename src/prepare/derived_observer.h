#pragma once
#include <memory>
#include <vector>

#include "qdq/quantizer.h"

namespace qdq {

// The observer of a DerivedQuantizationSpec: watches nothing, asks the observers that it is derived from.
class DerivedObserver : public Observer {
 public:
  DerivedObserver(const DerivedQuantizationSpec& spec, std::vector<std::shared_ptr<Observer>> sources)
      : sources_(std::move(sources)), derive_(spec.derive_qparams_fn) {
    dtype_ = spec.dtype;
    qscheme_ = spec.qscheme.value_or(QScheme::per_tensor_affine);
    const bool bounded = is_integral(spec.dtype);
    quant_min_ = spec.quant_min.value_or(bounded ? integer_limits(spec.dtype).min : 0);
    quant_max_ = spec.quant_max.value_or(bounded ? integer_limits(spec.dtype).max : 0);
    ch_axis_ = spec.ch_axis;
    is_dynamic_ = spec.is_dynamic;
  }

  std::string_view kind() const override { return "DerivedObserverOrFakeQuantize"; }
  void observe(const Tensor&) override {}
  QParams calculate_qparams() const override { return derive_(sources_); }
  bool is_idempotent() const override { return true; }

 private:
  std::vector<std::shared_ptr<Observer>> sources_;
  DerivedQuantizationSpec::DeriveFn derive_;
};

}  // namespace qdq
