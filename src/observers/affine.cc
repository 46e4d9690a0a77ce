// torchao's affine observers: bounds for each block of a tensor.
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "observers/affine_qparams.h"
#include "observers/build.h"
#include "observers/kernels.h"
#include "qdq/error.h"

namespace qdq {
namespace {

// A value with the dimensions inside of blocks last, and how many blocks of how many elements these are.
struct Blocks {
  Tensor value;
  Shape shape;  // one element for each block, as torch.amin leaves it
  std::int64_t length = 1;
};

Blocks blocks_of(const Tensor& value, const Shape& block) {
  Shape split, order, inside;
  Blocks blocks;
  for (std::size_t d = 0; d < block.size(); ++d) {
    const std::int64_t size = value.sizes()[d];
    if (block[d] == 1 || block[d] != size) {
      order.push_back(static_cast<std::int64_t>(split.size()));
      blocks.shape.push_back(size / block[d]);
      split.push_back(size / block[d]);
    }
    if (block[d] == 1) continue;
    inside.push_back(static_cast<std::int64_t>(split.size()));
    blocks.length *= block[d];
    split.push_back(block[d]);
  }
  // torch.amin over no dimension is over all: the shape of a single number has none.
  if (inside.empty() && value.numel() == 1) blocks.shape.clear();
  order.insert(order.end(), inside.begin(), inside.end());
  blocks.value = value.reshape(split).permute(order).contiguous();
  return blocks;
}

struct Bounds {
  double min;
  double max;
};

Bounds bounds_of(const float* values, std::int64_t count) {
  const Extremes found = observer_kernels().min_max(values, count);
  return {static_cast<double>(found.min), static_cast<double>(found.max)};
}

Bounds bounds_of(const double* values, std::int64_t count) {
  Bounds bounds{values[0], values[0]};
  for (std::int64_t i = 0; i < count; ++i) {
    if (std::isnan(values[i])) return {values[i], values[i]};
    bounds = {std::min(bounds.min, values[i]), std::max(bounds.max, values[i])};
  }
  return bounds;
}

template <typename T>
std::vector<Bounds> bounds_of(const Blocks& blocks) {
  std::vector<Bounds> bounds;
  const T* values = blocks.value.data<T>();
  for (std::int64_t done = 0; done < blocks.value.numel(); done += blocks.length)
    bounds.push_back(bounds_of(values + done, blocks.length));
  return bounds;
}

class AffineObserver : public Observer {
 public:
  AffineObserver(std::string_view kind, const ObserverOptions& options) : kind_(kind) {
    if (!options.mapping_type || !options.dtype || !options.granularity)
      refuse("needs a mapping_type, a dtype and a granularity");
    config_.mapping_type = *options.mapping_type;
    config_.target_dtype = *options.dtype;
    config_.granularity = *options.granularity;
    config_.quant_min = options.quant_min;
    config_.quant_max = options.quant_max;
    config_.eps = options.eps;
    config_.scale_dtype = options.scale_dtype;
    config_.zero_point_dtype = options.zero_point_dtype;
    config_.preserve_zero = options.preserve_zero.value_or(true);
    config_.zero_point_domain = options.zero_point_domain.value_or(ZeroPointDomain::integer);
    check();
    const AffineBounds bounds = affine_quant_bounds(config_);
    dtype_ = config_.target_dtype;
    quant_min_ = static_cast<std::int64_t>(bounds.low);
    quant_max_ = static_cast<std::int64_t>(bounds.high);
    eps_ = config_.eps.value_or(kFloat32Eps);
    is_dynamic_ = options.is_dynamic.value_or(false);
  }
  std::string_view kind() const override { return kind_; }
  const AffineConfig* affine() const override { return &config_; }

  ObserverState save_state() const override {
    if (!config_.block_size) return {};
    return {{{"block_size", Tensor::from<std::int64_t>(*config_.block_size,
                                                       {static_cast<std::int64_t>(config_.block_size->size())})}}};
  }
  void load_state(const ObserverState& state) override {
    config_.block_size.reset();
    if (const Tensor* found = state.find("block_size")) {
      const Tensor sizes = found->contiguous().to(DType::int64);
      config_.block_size.emplace(sizes.data<std::int64_t>(), sizes.data<std::int64_t>() + sizes.numel());
    }
  }
  bool can_merge() const override { return true; }
  void merge(const Observer& other) override { take_block_size(same_kind(other)); }

 protected:
  [[noreturn]] void refuse(const std::string& why) const {
    throw InvalidArgumentError("[observe] " + std::string(kind_) + ": " + why);
  }
  const Observer& same_kind(const Observer& other) const {
    if (other.kind() != kind_) refuse("can only be merged with its own kind, found " + std::string(other.kind()));
    return other;
  }
  void take_block_size(const Observer& other) {
    if (!config_.block_size) config_.block_size = other.affine()->block_size;
  }

  AffineConfig config_;

 private:
  // What torchao finds out when it is asked for qparams.
  void check() const {
    const bool symmetric = config_.mapping_type != MappingType::asymmetric;
    const std::string mapping(name(config_.mapping_type));
    if (is_floating_point(config_.target_dtype) && config_.mapping_type != MappingType::symmetric)
      refuse("float8 needs the mapping SYMMETRIC, found " + mapping);
    if (symmetric && !config_.preserve_zero) refuse(mapping + " always preserves zero");
    if (symmetric && config_.zero_point_domain != ZeroPointDomain::integer)
      refuse(mapping + " needs zero_point_domain INT, found " + std::string(name(config_.zero_point_domain)));
    if (!symmetric && !config_.preserve_zero && config_.zero_point_domain == ZeroPointDomain::integer)
      refuse("a zero that is not preserved needs zero_point_domain FLOAT");
  }

  std::string_view kind_;
};

class AffineBoundsObserver : public AffineObserver {
 public:
  // `averaging`: the weight of the newest batch; without it the bounds are those of everything observed.
  AffineBoundsObserver(std::string_view kind, const ObserverOptions& options, std::optional<double> averaging)
      : AffineObserver(kind, options), averaging_(averaging) {
    if (is_dynamic_ && averaging_ != 1.0)
      refuse("dynamic needs AffineQuantizedMovingAverageMinMaxObserver with averaging_constant 1");
  }

  void observe(const Tensor& value) override {
    if (value.numel() == 0) return;
    const bool real =
        value.dtype() == DType::float64 || value.dtype() == DType::float16 || value.dtype() == DType::bfloat16;
    const DType dtype = real ? value.dtype() : DType::float32;
    Shape block = block_size_of(config_.granularity, value.sizes());
    const Blocks blocks = blocks_of(value.to(dtype == DType::float64 ? DType::float64 : DType::float32), block);
    add(dtype == DType::float64 ? bounds_of<double>(blocks) : bounds_of<float>(blocks), dtype, blocks.shape);
    config_.block_size = std::move(block);
  }

  QParams calculate_qparams() const override {
    if (min_.empty()) refuse("nothing was observed, so there are no qparams");
    return affine_qparams(config_, min_, max_, dtype_of_bounds_, shape_);
  }

  ObserverState save_state() const override {
    ObserverState state = AffineObserver::save_state();
    if (min_.empty()) return state;
    state.buffers.emplace_back("min_val", Tensor::from<double>(min_, shape_).to(dtype_of_bounds_));
    state.buffers.emplace_back("max_val", Tensor::from<double>(max_, shape_).to(dtype_of_bounds_));
    return state;
  }
  void load_state(const ObserverState& state) override {
    const Tensor* min = state.find("min_val");
    const Tensor* max = state.find("max_val");
    if ((min == nullptr) != (max == nullptr) || (min != nullptr && min->sizes() != max->sizes()))
      refuse("the state needs a 'max_val' of the sizes of its 'min_val'");
    AffineObserver::load_state(state);
    min_.clear();
    max_.clear();
    if (min == nullptr) return;
    if (!is_floating_point(min->dtype()) || min->dtype() != max->dtype())
      refuse("the state's 'min_val' and 'max_val' must be of one float type");
    dtype_of_bounds_ = min->dtype();
    shape_ = min->sizes();
    const Tensor low = min->contiguous().to(DType::float64), high = max->contiguous().to(DType::float64);
    min_.assign(low.data<double>(), low.data<double>() + low.numel());
    max_.assign(high.data<double>(), high.data<double>() + high.numel());
  }

  bool has_observed() const override { return !min_.empty(); }
  bool is_idempotent() const override { return can_merge(); }
  bool can_merge() const override { return !averaging_; }
  void merge(const Observer& other) override {
    if (!can_merge()) Observer::merge(other);
    const auto& shard = dynamic_cast<const AffineBoundsObserver&>(same_kind(other));
    if (shard.min_.empty()) return;
    std::vector<Bounds> bounds;
    for (std::size_t i = 0; i < shard.min_.size(); ++i) bounds.push_back({shard.min_[i], shard.max_[i]});
    add(bounds, shard.dtype_of_bounds_, shard.shape_);
    take_block_size(shard);
  }

 private:
  // torch keeps the dtype of the first batch; the arithmetic of a mixed average is that of the wider type.
  void add(std::span<const Bounds> batch, DType dtype, const Shape& shape) {
    if (min_.empty()) {
      dtype_of_bounds_ = dtype;
      shape_ = shape;
      for (const Bounds& block : batch) {
        min_.push_back(block.min);
        max_.push_back(block.max);
      }
      return;
    }
    if (shape != shape_)
      refuse("blocks of shape " + to_string(shape_) + " expected, as in the values observed before; found " +
             to_string(shape));
    if (dtype != dtype_of_bounds_)
      refuse("values of " + std::string(name(dtype_of_bounds_)) + " expected, as those observed before; found " +
             std::string(name(dtype)));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      min_[i] = averaging_ ? averaged(min_[i], batch[i].min) : smaller(min_[i], batch[i].min);
      max_[i] = averaging_ ? averaged(max_[i], batch[i].max) : -smaller(-max_[i], -batch[i].max);
    }
  }
  static double smaller(double a, double b) { return std::isnan(a) || a < b ? a : b; }
  double averaged(double old, double batch) const {
    const double weight =
        dtype_of_bounds_ == DType::float64 ? *averaging_ : static_cast<double>(static_cast<float>(*averaging_));
    const double difference = round_to(dtype_of_bounds_, batch - old);
    return round_to(dtype_of_bounds_, old + round_to(dtype_of_bounds_, weight * difference));
  }

  std::optional<double> averaging_;
  DType dtype_of_bounds_ = DType::float32;
  Shape shape_;
  std::vector<double> min_, max_;
};

class AffinePlaceholderObserver : public AffineObserver {
 public:
  using AffineObserver::AffineObserver;
  void observe(const Tensor& value) override { config_.block_size = block_size_of(config_.granularity, value.sizes()); }
  bool is_idempotent() const override { return true; }
  QParams calculate_qparams() const override { refuse("only notes a block size and has no qparams"); }
};

}  // namespace

std::unique_ptr<Observer> build_affine_min_max(const ObserverOptions& options) {
  return std::make_unique<AffineBoundsObserver>("AffineQuantizedMinMaxObserver", options, std::nullopt);
}

std::unique_ptr<Observer> build_affine_moving_average_min_max(const ObserverOptions& options) {
  return std::make_unique<AffineBoundsObserver>("AffineQuantizedMovingAverageMinMaxObserver", options,
                                                options.averaging_constant.value_or(0.01));
}

std::unique_ptr<Observer> build_affine_placeholder(const ObserverOptions& options) {
  return std::make_unique<AffinePlaceholderObserver>("AffineQuantizedPlaceholderObserver", options);
}

}  // namespace qdq
