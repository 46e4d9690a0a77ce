#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "qdq/dtype.h"
#include "qdq/shared_value.h"

namespace qdq {

// A size that is known, or an expression of symbols. `expr` is the sympy text that torch.export wrote
// ("Symbol('s77', positive=True, integer=True)"), empty for a plain number. `value` is the number, or for an expression
// the hint (the value at export time) if there was one.
struct SymInt {
  std::int64_t value = 0;
  std::string expr;
  bool has_hint = true;

  SymInt() = default;
  SymInt(std::int64_t number) : value(number) {}  // NOLINT(google-explicit-constructor): sizes are mostly numbers
  static SymInt symbolic(std::string expr, std::optional<std::int64_t> hint);
  bool is_symbolic() const { return !expr.empty(); }
  friend bool operator==(const SymInt&, const SymInt&) = default;
};

struct Device {
  std::string type = "cpu";
  std::optional<std::int64_t> index;
  friend bool operator==(const Device&, const Device&) = default;
};

enum class Layout : std::uint8_t { strided, sparse_coo, sparse_csr, sparse_csc, sparse_bsr, sparse_bsc, mkldnn };
enum class MemoryFormat : std::uint8_t { contiguous, channels_last, channels_last_3d, preserve };

// What is known about a tensor without its data.
struct TensorMeta {
  DType dtype = DType::float32;
  std::vector<SymInt> sizes;
  std::vector<SymInt> strides;
  SymInt storage_offset;
  bool requires_grad = false;
  Device device;
  Layout layout = Layout::strided;
  friend bool operator==(const TensorMeta&, const TensorMeta&) = default;
};

// The type of the value that a node produces.
struct ValueType {
  struct SymIntValue {
    SymInt value;
    friend bool operator==(const SymIntValue&, const SymIntValue&) = default;
  };
  // A symbolic bool or float: the sympy text and hint as torch.export wrote them.
  struct SymBoolValue {
    std::string expr;
    std::optional<bool> hint;
    friend bool operator==(const SymBoolValue&, const SymBoolValue&) = default;
  };
  struct SymFloatValue {
    std::string expr;
    std::optional<double> hint;
    friend bool operator==(const SymFloatValue&, const SymFloatValue&) = default;
  };
  struct CustomObject {
    std::string class_fqn;
    friend bool operator==(const CustomObject&, const CustomObject&) = default;
  };
  using List = std::vector<ValueType>;

  // monostate: nothing is known, or the node returns nothing. Most values of a graph are tensors like another one.
  std::variant<std::monostate, SharedValue<TensorMeta>, SymIntValue, SymBoolValue, SymFloatValue, CustomObject, List> v;

  const TensorMeta* tensor() const {
    const auto* meta = std::get_if<SharedValue<TensorMeta>>(&v);
    return meta ? meta->get() : nullptr;
  }
  const List* list() const { return std::get_if<List>(&v); }
  bool known() const { return v.index() != 0; }
  friend bool operator==(const ValueType&, const ValueType&) = default;
};

}  // namespace qdq
