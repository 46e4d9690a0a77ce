#pragma once
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace qdq {

// A value that never changes and that its copies share: for what is large, or rare, inside a small type. Null once moved
// from.
template <typename T>
class SharedValue {
 public:
  SharedValue(T value) : value_(std::make_shared<const T>(std::move(value))) {}  // NOLINT: stands for the value

  const T* get() const { return value_.get(); }
  const T& operator*() const { return *value_; }
  friend bool operator==(const SharedValue& a, const SharedValue& b) {
    return a.value_ == b.value_ || (a.value_ && b.value_ && *a == *b);
  }

 private:
  std::shared_ptr<const T> value_;
};

template <typename T>
struct IsShared : std::false_type {};
template <typename T>
struct IsShared<SharedValue<T>> : std::true_type {};

// visitor(alternative) of a variant some of whose alternatives are shared; it sees the values behind those.
template <typename Visitor, typename Variant>
decltype(auto) visit_values(Visitor&& visitor, const Variant& variant) {
  return std::visit(
      [&](const auto& item) -> decltype(auto) {
        if constexpr (IsShared<std::decay_t<decltype(item)>>::value)
          return visitor(*item);
        else
          return visitor(item);
      },
      variant);
}

}  // namespace qdq
