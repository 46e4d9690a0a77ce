#include "observers/build.h"
#include "qdq/error.h"

namespace qdq {
namespace {

struct Row {
  std::string_view kind;
  ObserverFactory::Build build;
};

// Every observer that exists, under PyTorch's class name.
constexpr Row kObservers[] = {
    {"MinMaxObserver", build_min_max},
    {"MovingAverageMinMaxObserver", build_moving_average_min_max},
    {"PerChannelMinMaxObserver", build_per_channel_min_max},
    {"MovingAveragePerChannelMinMaxObserver", build_moving_average_per_channel_min_max},
    {"HistogramObserver", build_histogram},
    {"FixedQParamsObserver", build_fixed_qparams},
    {"PlaceholderObserver", build_placeholder},
    {"AffineQuantizedMinMaxObserver", build_affine_min_max},
    {"AffineQuantizedMovingAverageMinMaxObserver", build_affine_moving_average_min_max},
    {"AffineQuantizedPlaceholderObserver", build_affine_placeholder},
};

}  // namespace

ObserverFactory observer_by_name(std::string_view kind) {
  std::string known;
  for (const Row& row : kObservers) {
    if (row.kind == kind) return ObserverFactory(std::string(kind), row.build);
    known += (known.empty() ? "" : ", ") + std::string(row.kind);
  }
  throw InvalidArgumentError("no observer is called '" + std::string(kind) + "'; known: " + known);
}

ObserverFactory min_max_observer(const ObserverOptions& options) {
  return observer_by_name("MinMaxObserver").with_args(options);
}
ObserverFactory moving_average_min_max_observer(const ObserverOptions& options) {
  return observer_by_name("MovingAverageMinMaxObserver").with_args(options);
}
ObserverFactory per_channel_min_max_observer(const ObserverOptions& options) {
  return observer_by_name("PerChannelMinMaxObserver").with_args(options);
}
ObserverFactory moving_average_per_channel_min_max_observer(const ObserverOptions& options) {
  return observer_by_name("MovingAveragePerChannelMinMaxObserver").with_args(options);
}
ObserverFactory histogram_observer(const ObserverOptions& options) {
  return observer_by_name("HistogramObserver").with_args(options);
}
ObserverFactory fixed_qparams_observer(const ObserverOptions& options) {
  return observer_by_name("FixedQParamsObserver").with_args(options);
}
ObserverFactory placeholder_observer(const ObserverOptions& options) {
  return observer_by_name("PlaceholderObserver").with_args(options);
}
ObserverFactory affine_quantized_min_max_observer(const ObserverOptions& options) {
  return observer_by_name("AffineQuantizedMinMaxObserver").with_args(options);
}
ObserverFactory affine_quantized_moving_average_min_max_observer(const ObserverOptions& options) {
  return observer_by_name("AffineQuantizedMovingAverageMinMaxObserver").with_args(options);
}
ObserverFactory affine_quantized_placeholder_observer(const ObserverOptions& options) {
  return observer_by_name("AffineQuantizedPlaceholderObserver").with_args(options);
}

}  // namespace qdq
