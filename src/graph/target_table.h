#pragma once
#include <deque>
#include <string>
#include <string_view>

#include "base/flat_map.h"

namespace qdq {

// The targets of a graph's nodes, each one once: thousands of nodes share a few.
class TargetTable {
 public:
  // The table's own text, which stays where it is.
  const std::string& shared(std::string_view target) {
    if (const auto found = index_.find(target); found != index_.end()) return *found->second;
    const std::string& text = texts_.emplace_back(target);
    index_.emplace(text, &text);
    return text;
  }
  bool contains(std::string_view target) const { return index_.contains(target); }

 private:
  std::deque<std::string> texts_;
  FlatMap<std::string_view, const std::string*> index_;
};

}  // namespace qdq
