#pragma once
#include <memory>

#include "qdq/observer.h"

namespace qdq {

// One builder per row of the registry. Each throws InvalidArgumentError for options that PyTorch's constructor refuses.
std::unique_ptr<Observer> build_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_moving_average_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_per_channel_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_moving_average_per_channel_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_histogram(const ObserverOptions& options);
std::unique_ptr<Observer> build_fixed_qparams(const ObserverOptions& options);
std::unique_ptr<Observer> build_placeholder(const ObserverOptions& options);
std::unique_ptr<Observer> build_affine_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_affine_moving_average_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_affine_placeholder(const ObserverOptions& options);

}  // namespace qdq
