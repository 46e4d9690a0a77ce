#pragma once
#include <map>
#include <memory>
#include <string>

#include "base/flat_map.h"
#include "qdq/observer.h"

namespace qdq {

// A program's observers by the targets of the call_module nodes that run them. Looks at `observers`, which must outlive it.
class ObserverTable {
 public:
  explicit ObserverTable(const std::map<std::string, std::shared_ptr<Observer>>& observers) {
    by_target_.reserve(observers.size());
    for (const auto& [target, observer] : observers) by_target_.emplace(target, observer.get());
  }
  // Null when absent.
  Observer* find(std::string_view target) const {
    const auto found = by_target_.find(target);
    return found == by_target_.end() ? nullptr : found->second;
  }

 private:
  FlatMap<std::string_view, Observer*> by_target_;
};

}  // namespace qdq
