#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qdq/affine.h"
#include "qdq/tensor.h"

namespace qdq {

enum class QScheme : std::uint8_t {
  per_tensor_affine,
  per_tensor_symmetric,
  per_channel_affine,
  per_channel_symmetric,
  per_channel_affine_float_qparams,
};

std::string_view name(QScheme qscheme);  // "per_tensor_affine", ...
inline bool is_per_channel(QScheme qscheme) { return qscheme >= QScheme::per_channel_affine; }
inline bool is_symmetric(QScheme qscheme) {
  return qscheme == QScheme::per_tensor_symmetric || qscheme == QScheme::per_channel_symmetric;
}

// 2^-23, torch.finfo(torch.float32).eps: the smallest scale unless an observer is told otherwise.
inline constexpr double kFloat32Eps = 1.1920928955078125e-07;

// What an observer is built with. Each observer reads the fields that its PyTorch constructor has; a field left empty
// takes that observer's default.
struct ObserverOptions {
  std::optional<DType> dtype = {};
  std::optional<QScheme> qscheme = {};
  std::optional<std::int64_t> quant_min = {};
  std::optional<std::int64_t> quant_max = {};
  std::optional<std::int64_t> ch_axis = {};
  std::optional<bool> is_dynamic = {};
  std::optional<bool> reduce_range = {};
  std::optional<double> eps = {};
  std::optional<double> averaging_constant = {};  // moving averages
  std::optional<std::int64_t> bins = {};          // histograms
  std::optional<double> scale = {};               // fixed qparams
  std::optional<std::int64_t> zero_point = {};    // fixed qparams
  std::optional<double> percentile = {};          // percentile: the share of values inside the range, in percent

  // Affine observers, whose target_dtype is `dtype`.
  std::optional<MappingType> mapping_type = {};
  std::optional<Granularity> granularity = {};
  std::optional<DType> scale_dtype = {};
  std::optional<DType> zero_point_dtype = {};
  std::optional<bool> preserve_zero = {};
  std::optional<ZeroPointDomain> zero_point_domain = {};

  // These options, with every field that `overriding` sets taken from it.
  ObserverOptions merged_with(const ObserverOptions& overriding) const;
};

// scale: float32 of shape [1] or [channels]. zero_point: the same shape; int64 (symmetric), int32 (affine) or float32
// (per_channel_affine_float_qparams).
// Of an affine observer: an element for each block, in the shape of torch.amin over the blocks without keepdim (blocks of
// [1, 4] in [3, 8]: [3, 2]; of [1, 8]: [3]), of the dtypes asked for or else that of the values. The zero point is
// undefined for ZeroPointDomain::none.
struct QParams {
  Tensor scale;
  Tensor zero_point;
};

// What an observer has seen, as named tensors: the names, dtypes and order of the buffers in a PyTorch state dict ("eps",
// "min_val", "max_val", "histogram", ...) where PyTorch has such buffers. Before the first value min_val is inf and max_val -inf (per tensor), or both
// are empty (per channel).
struct ObserverState {
  std::vector<std::pair<std::string, Tensor>> buffers;
  const Tensor* find(std::string_view name) const;  // null when absent
};

// Watches the values of one place in a program and chooses quantization parameters for it.
class Observer {
 public:
  virtual ~Observer() = default;

  virtual std::string_view kind() const = 0;  // the class name, PyTorch's: "HistogramObserver"
  // Any dtype and layout that converts to float32; an empty tensor changes nothing. Throws InvalidArgumentError for
  // values that the observer cannot digest (NaN in a histogram).
  virtual void observe(const Tensor& value) = 0;
  // Observes the values of the latest observe() or observe_again() once more, each clamped to [low, high] and in any order,
  // without looking at a tensor. False, and nothing has changed, when they are not known well enough for that: the caller
  // observes the clamped tensor then. low <= high; -inf and inf are no bounds.
  virtual bool observe_again(float /*low*/, float /*high*/) { return false; }
  // Throws InvalidArgumentError where the PyTorch observer has no qparams (placeholder).
  virtual QParams calculate_qparams() const = 0;
  // False until the first value came, for observers that learn from values.
  virtual bool has_observed() const { return true; }
  // True when observing everything again would not change the qparams: constants are then observed once.
  virtual bool is_idempotent() const { return false; }

  virtual ObserverState save_state() const;  // own memory
  // Continues from a state of the same kind. Throws InvalidArgumentError for missing buffers and wrong shapes.
  virtual void load_state(const ObserverState& state);
  // Adds what `other` has seen, as if its values had been observed here. Throws InvalidArgumentError unless
  // can_merge(), which is true where the order of the values does not matter, and `other` is of the same kind.
  virtual void merge(const Observer& other);
  virtual bool can_merge() const { return false; }

  DType dtype() const { return dtype_; }
  QScheme qscheme() const { return qscheme_; }
  // The bounds of the quantized values; for a placeholder that was given none, those of its dtype.
  std::int64_t quant_min() const { return quant_min_; }
  std::int64_t quant_max() const { return quant_max_; }
  std::optional<std::int64_t> ch_axis() const { return ch_axis_; }
  // Not null for affine observers, whose qparams are per block.
  virtual const AffineConfig* affine() const { return nullptr; }
  bool is_dynamic() const { return is_dynamic_; }
  double eps() const { return eps_; }
  // What its factory was given: observer_by_name(kind())(options()) builds an equal observer that has seen nothing. Empty
  // for an observer that no factory made.
  const ObserverOptions& options() const { return options_; }

 protected:
  DType dtype_ = DType::quint8;
  QScheme qscheme_ = QScheme::per_tensor_affine;
  std::int64_t quant_min_ = 0;
  std::int64_t quant_max_ = 255;
  std::optional<std::int64_t> ch_axis_;
  bool is_dynamic_ = false;
  double eps_ = kFloat32Eps;

 private:
  friend class ObserverFactory;
  ObserverOptions options_;
};

// The least and the greatest value that `observer` has seen, over all channels, where it keeps them (min_val, max_val);
// empty before the first value and for observers that learn nothing from values.
std::optional<std::pair<double, double>> observed_bounds(const Observer& observer);
// What its qscheme says, or the blocks of an affine observer: "per_channel_symmetric", "affine [1, 32]".
std::string scheme_name(const Observer& observer);

// Builds observers of one kind: PyTorch's `Observer.with_args(...)`.
class ObserverFactory {
 public:
  using Build = std::function<std::shared_ptr<Observer>(const ObserverOptions&)>;
  ObserverFactory() = default;
  ObserverFactory(std::string kind, Build build, ObserverOptions defaults = {})
      : kind_(std::move(kind)), build_(std::move(build)), defaults_(std::move(defaults)) {}

  const std::string& kind() const { return kind_; }
  const Build& build() const { return build_; }
  const ObserverOptions& defaults() const { return defaults_; }
  ObserverFactory with_args(const ObserverOptions& options) const {
    return ObserverFactory(kind_, build_, defaults_.merged_with(options));
  }
  // A new observer; `options` win over with_args.
  std::shared_ptr<Observer> operator()(const ObserverOptions& options = {}) const {
    ObserverOptions all = defaults_.merged_with(options);
    std::shared_ptr<Observer> observer = build_(all);
    observer->options_ = std::move(all);
    return observer;
  }
  explicit operator bool() const { return static_cast<bool>(build_); }

 private:
  std::string kind_;
  Build build_;
  ObserverOptions defaults_;
};

// The observers of torchao.quantization.pt2e.observer.
ObserverFactory min_max_observer(const ObserverOptions& options = {});
ObserverFactory moving_average_min_max_observer(const ObserverOptions& options = {});
ObserverFactory per_channel_min_max_observer(const ObserverOptions& options = {});
ObserverFactory moving_average_per_channel_min_max_observer(const ObserverOptions& options = {});
ObserverFactory histogram_observer(const ObserverOptions& options = {});
ObserverFactory fixed_qparams_observer(const ObserverOptions& options = {});
ObserverFactory placeholder_observer(const ObserverOptions& options = {});
ObserverFactory recording_observer(const ObserverOptions& options = {});
ObserverFactory noop_observer(const ObserverOptions& options = {});
ObserverFactory reuse_input_observer(const ObserverOptions& options = {});
ObserverFactory affine_quantized_min_max_observer(const ObserverOptions& options = {});
ObserverFactory affine_quantized_moving_average_min_max_observer(const ObserverOptions& options = {});
ObserverFactory affine_quantized_placeholder_observer(const ObserverOptions& options = {});
// Observers of ours, per tensor or per channel as their qscheme says, whose statistics merge exactly (docs/quantization.md).
ObserverFactory mergeable_histogram_observer(const ObserverOptions& options = {});
ObserverFactory mse_observer(const ObserverOptions& options = {});
ObserverFactory percentile_observer(const ObserverOptions& options = {});
ObserverFactory entropy_observer(const ObserverOptions& options = {});
// By class name ("MinMaxObserver") or the name of one with PyTorch's usual arguments ("default_weight_observer"). Throws
// InvalidArgumentError, listing the known names.
ObserverFactory observer_by_name(std::string_view name);
std::vector<std::string_view> observer_names();

// What a RecordingObserver has kept: a copy of every value, in order. Throws InvalidArgumentError for other kinds.
const std::vector<Tensor>& get_tensor_value(const Observer& observer);

}  // namespace qdq
