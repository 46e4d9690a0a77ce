// Observers that look at nothing: constants known beforehand, and mere notes of what to do with a place.
#include <string>

#include "observers/build.h"
#include "qdq/error.h"

namespace qdq {
namespace {

class FixedQParamsObserver : public Observer {
 public:
  explicit FixedQParamsObserver(const ObserverOptions& options) {
    if (!options.scale || !options.zero_point)
      throw InvalidArgumentError("[observe] FixedQParamsObserver: needs a scale and a zero_point");
    if (options.is_dynamic.value_or(false))
      throw InvalidArgumentError("[observe] FixedQParamsObserver: fixed qparams cannot be dynamic");
    dtype_ = options.dtype.value_or(DType::quint8);
    qscheme_ = options.qscheme.value_or(QScheme::per_tensor_affine);
    quant_min_ = options.quant_min.value_or(0);
    quant_max_ = options.quant_max.value_or(255);
    scale_ = static_cast<float>(*options.scale);
    zero_point_ = static_cast<std::int32_t>(*options.zero_point);
  }
  std::string_view kind() const override { return "FixedQParamsObserver"; }
  void observe(const Tensor&) override {}
  bool is_idempotent() const override { return true; }
  QParams calculate_qparams() const override {
    return {Tensor::from<float>({scale_}, {1}), Tensor::from<std::int32_t>({zero_point_}, {1})};
  }
  ObserverState save_state() const override {
    QParams qparams = calculate_qparams();
    return {{{"scale", qparams.scale}, {"zero_point", qparams.zero_point}}};
  }
  void load_state(const ObserverState& state) override {
    const Tensor* scale = state.find("scale");
    const Tensor* zero_point = state.find("zero_point");
    if (scale == nullptr || zero_point == nullptr || scale->numel() != 1 || zero_point->numel() != 1)
      throw InvalidArgumentError(
          "[observe] FixedQParamsObserver: a state with one 'scale' and one 'zero_point' expected");
    scale_ = static_cast<float>(scale->item());
    zero_point_ = static_cast<std::int32_t>(zero_point->item());
  }
  bool can_merge() const override { return true; }
  void merge(const Observer&) override {}

 private:
  float scale_;
  std::int32_t zero_point_;
};

class PlaceholderObserver : public Observer {
 public:
  explicit PlaceholderObserver(const ObserverOptions& options) {
    dtype_ = options.dtype.value_or(DType::float32);
    qscheme_ = options.qscheme.value_or(QScheme::per_tensor_affine);
    eps_ = options.eps.value_or(kFloat32Eps);
    is_dynamic_ = options.is_dynamic.value_or(false);
    if (is_integral(dtype_) && dtype_ != DType::uint64) {
      const IntegerLimits limits = integer_limits(dtype_);
      quant_min_ = limits.min;
      quant_max_ = limits.max;
    }
    quant_min_ = options.quant_min.value_or(quant_min_);
    quant_max_ = options.quant_max.value_or(quant_max_);
  }
  std::string_view kind() const override { return "PlaceholderObserver"; }
  void observe(const Tensor&) override {}
  bool is_idempotent() const override { return true; }
  QParams calculate_qparams() const override {
    throw InvalidArgumentError("[observe] PlaceholderObserver: only notes a dtype (" + std::string(name(dtype_)) +
                               ") and has no qparams");
  }
  bool can_merge() const override { return true; }
  void merge(const Observer&) override {}
};

// A note of a dtype or of nothing at all.
class NoteObserver : public Observer {
 public:
  NoteObserver(std::string_view kind, DType dtype) : kind_(kind) { dtype_ = dtype; }
  std::string_view kind() const override { return kind_; }
  void observe(const Tensor&) override {}
  bool is_idempotent() const override { return true; }
  QParams calculate_qparams() const override {
    throw InvalidArgumentError("[observe] " + std::string(kind_) + ": observes nothing and has no qparams");
  }
  bool can_merge() const override { return true; }
  void merge(const Observer&) override {}

 private:
  std::string_view kind_;
};

}  // namespace

std::unique_ptr<Observer> build_noop(const ObserverOptions& options) {
  return std::make_unique<NoteObserver>("NoopObserver", options.dtype.value_or(DType::float16));
}

std::unique_ptr<Observer> build_reuse_input(const ObserverOptions&) {
  return std::make_unique<NoteObserver>("ReuseInputObserver", DType::quint8);
}

std::unique_ptr<Observer> build_fixed_qparams(const ObserverOptions& options) {
  return std::make_unique<FixedQParamsObserver>(options);
}

std::unique_ptr<Observer> build_placeholder(const ObserverOptions& options) {
  return std::make_unique<PlaceholderObserver>(options);
}

}  // namespace qdq
