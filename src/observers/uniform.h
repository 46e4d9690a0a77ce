#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "qdq/observer.h"

namespace qdq {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct ScaleAndZeroPoint {
  float scale;
  std::int64_t zero_point;
};

// The common part of the observers that keep bounds: checked options, and qparams from (min, max).
class UniformObserver : public Observer {
 public:
  std::string_view kind() const override { return kind_; }
  bool has_observed() const override;
  ObserverState save_state() const override;
  void load_state(const ObserverState& state) override;
  std::span<const float> min_values() const { return min_val_; }
  std::span<const float> max_values() const { return max_val_; }

 protected:
  // Throws InvalidArgumentError for options that PyTorch refuses.
  UniformObserver(std::string_view kind, const ObserverOptions& options, QScheme default_qscheme);

  // scale and zero_point for these bounds, computed in float32 as PyTorch does (docs/numerics.md). Throws
  // InvalidArgumentError where a minimum is not <= its maximum (a NaN was observed).
  QParams qparams_for(std::span<const float> min, std::span<const float> max) const;
  // The same for one pair of bounds and an integer zero point.
  ScaleAndZeroPoint qparams_of(float min, float max) const;
  // What PyTorch returns when nothing was observed: scale 1, zero_point 0.
  static QParams default_qparams();
  // `value` as contiguous memory of float32. The elements come in some order when `any_order`, else in row-major order.
  static Tensor float_values(const Tensor& value, bool any_order);
  [[noreturn]] void refuse(const std::string& why) const;  // "[observe] MinMaxObserver: why"
  // The other observer as the same kind, for merge.
  const UniformObserver& same_kind(const Observer& other) const;

  // Bounds so far: one element per tensor or one per channel.
  std::vector<float> min_val_;
  std::vector<float> max_val_;

 private:
  void choose_range(const ObserverOptions& options);

  std::string_view kind_;
  bool has_customized_qrange_ = false;
};

}  // namespace qdq
