#pragma once
#include <memory>

#include "qdq/observer.h"

namespace qdq {

// One builder per row of the registry. Each throws InvalidArgumentError for options that PyTorch's constructor refuses, or that make no sense.
std::unique_ptr<Observer> build_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_moving_average_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_per_channel_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_moving_average_per_channel_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_histogram(const ObserverOptions& options);
std::unique_ptr<Observer> build_fixed_qparams(const ObserverOptions& options);
std::unique_ptr<Observer> build_placeholder(const ObserverOptions& options);
std::unique_ptr<Observer> build_recording(const ObserverOptions& options);
std::unique_ptr<Observer> build_noop(const ObserverOptions& options);
std::unique_ptr<Observer> build_reuse_input(const ObserverOptions& options);
std::unique_ptr<Observer> build_mergeable_histogram(const ObserverOptions& options);
std::unique_ptr<Observer> build_mse(const ObserverOptions& options);
std::unique_ptr<Observer> build_percentile(const ObserverOptions& options);
std::unique_ptr<Observer> build_entropy(const ObserverOptions& options);
std::unique_ptr<Observer> build_affine_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_affine_moving_average_min_max(const ObserverOptions& options);
std::unique_ptr<Observer> build_affine_placeholder(const ObserverOptions& options);

}  // namespace qdq
