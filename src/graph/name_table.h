#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/flat_map.h"

namespace qdq {

class Node;

// Who has which name in a graph, and torch.fx's rule for new names. A name once given is not given again by itself.
class NameTable {
 public:
  Node* find(std::string_view name) const;  // null when no node has it, or none has it any more
  bool was_given(std::string_view name) const { return owners_.contains(name); }

  // torch.fx's rule: `wanted` as an identifier, with the first number behind it that makes it new. The caller takes it.
  std::string free_name(std::string_view wanted);
  // `wanted` when it is new and an identifier, else as free_name has it.
  std::string name_to_claim(std::string_view wanted);

  // `name` is the owner's from now on; the text must live as long as the table.
  void give(std::string_view name, Node& owner) { owners_.insert_or_assign(name, &owner); }
  void abandon(std::string name);  // no node has it, and none gets it by itself
  // The owner is gone, and its text stays.
  void orphan(std::string_view name) { owners_[name] = nullptr; }
  void forget(std::string_view name) { owners_.erase(name); }

  void copy_counts(const NameTable& other) { counts_ = other.counts_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Counts = std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>>;
  void set_count(Counts::iterator known, std::string_view base, std::int64_t number);

  FlatMap<std::string_view, Node*> owners_;  // null: no node has the name any more
  std::deque<std::string> abandoned_;        // the texts of names that no node holds
  Counts counts_;                            // the last number of a base; 0 is not stored
};

// torch.fx derives names from targets in snake case: "bertModel.LayerNorm" -> "bert_model.layer_norm".
std::string snake_case(std::string_view target);

}  // namespace qdq
