// An observer for debugging: keeps every value.
#include <string>
#include <vector>

#include "observers/build.h"
#include "qdq/error.h"

namespace qdq {
namespace {

class RecordingObserver : public Observer {
 public:
  explicit RecordingObserver(const ObserverOptions& options) { dtype_ = options.dtype.value_or(DType::quint8); }
  std::string_view kind() const override { return "RecordingObserver"; }
  void observe(const Tensor& value) override { values_.push_back(value.clone()); }
  QParams calculate_qparams() const override {
    throw InvalidArgumentError("[observe] RecordingObserver: only keeps values and has no qparams");
  }
  const std::vector<Tensor>& values() const { return values_; }

  ObserverState save_state() const override {
    ObserverState state;
    for (std::size_t i = 0; i < values_.size(); ++i)
      state.buffers.emplace_back("tensor_val." + std::to_string(i), values_[i].clone());
    return state;
  }
  void load_state(const ObserverState& state) override {
    std::vector<Tensor> values;
    while (const Tensor* found = state.find("tensor_val." + std::to_string(values.size())))
      values.push_back(found->clone());
    if (values.size() != state.buffers.size())
      throw InvalidArgumentError("[observe] RecordingObserver: buffers 'tensor_val.0' to 'tensor_val." +
                                 std::to_string(state.buffers.size() - 1) + "' expected");
    values_ = std::move(values);
  }

 private:
  std::vector<Tensor> values_;
};

}  // namespace

const std::vector<Tensor>& get_tensor_value(const Observer& observer) {
  const auto* recording = dynamic_cast<const RecordingObserver*>(&observer);
  if (recording == nullptr)
    throw InvalidArgumentError("[observe] a RecordingObserver expected, found " + std::string(observer.kind()));
  return recording->values();
}

std::unique_ptr<Observer> build_recording(const ObserverOptions& options) {
  return std::make_unique<RecordingObserver>(options);
}

}  // namespace qdq
