#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ops/call.h"

namespace qdq {

// Finds the types of values by the operators' shape rules, symbolic sizes included: every rule runs twice, each time with
// other numbers in place of the symbols. A size that comes out the same both times is a number, one that comes out as
// the stand-ins of a symbol is that symbol, and any other was computed from symbols.
//
//     %x: f32[s0, 4]  aten.neg.default(%x)             f32[s0, 4]
//                     aten.reshape.default(%x, [-1])   f32[4*s0] with Computed::named, else no type
class TypeInference {
 public:
  enum class Computed {
    unknown,  // a value with a computed size has no type
    named,  // c*s and s + c say so; any other computed size is a symbol of its own (u0, u1 ...), the same for equal sizes
  };
  explicit TypeInference(Computed computed) : computed_(computed) {}

  // The type of the value of `node`; nothing when the type of an input is not known or the rule does not hold.
  std::optional<ValueType> type_of(const Node& node);
  // The same, but throws InvalidArgumentError, naming the node, where the rule does not hold for its inputs.
  std::optional<ValueType> checked_type_of(const Node& node);
  // The arguments of a node of a known operator; symbolic sizes are stand-ins, tensors have no data. Nothing when the type
  // of an input is not known. Throws InvalidArgumentError for arguments that do not fit the operator.
  std::optional<Call> call_of(const Node& node, const OpSchema& schema);

 private:
  using Pair = std::pair<std::int64_t, std::int64_t>;  // the stand-ins of a size
  enum class Side { first, second };
  struct UnknownInput {};

  Pair stand_ins(const SymInt& size);
  std::int64_t stand_in(const SymInt& size, Side side);
  std::optional<Value> meta_value(const ValueType& type, Side side);
  std::optional<Value> value_of(const Argument& argument, Side side);
  Value known(std::optional<Value> value) const;
  std::vector<Value> infer(const Node& node, Side side);
  std::optional<SymInt> size_of(Pair sizes);
  SymInt computed(Pair sizes);
  std::optional<ValueType> common_type(const Value& first, const Value& second);

  Computed computed_;
  std::unordered_map<std::string, Pair> stand_ins_;  // by expression
  std::map<Pair, SymInt> sizes_;                     // the inverse
  std::size_t num_primes_ = 0;
  std::size_t num_named_ = 0;
};

}  // namespace qdq
