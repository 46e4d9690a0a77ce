#include "formats/pt2/schema.h"

#include <algorithm>
#include <array>
#include <utility>

#include "qdq/error.h"

namespace qdq::pt2 {
namespace {

using D = DType;
constexpr std::array<std::pair<std::int64_t, DType>, 20> kScalarTypes = {{
    {1, D::uint8},
    {2, D::int8},
    {3, D::int16},
    {4, D::int32},
    {5, D::int64},
    {6, D::float16},
    {7, D::float32},
    {8, D::float64},
    {9, D::complex32},
    {10, D::complex64},
    {11, D::complex128},
    {12, D::bool_},
    {13, D::bfloat16},
    {28, D::uint16},
    {29, D::float8_e4m3fn},
    {30, D::float8_e5m2},
    {31, D::float8_e4m3fnuz},
    {32, D::float8_e5m2fnuz},
    {34, D::uint32},
    {35, D::uint64},
}};

constexpr std::array<std::pair<std::int64_t, Layout>, 7> kLayouts = {{{1, Layout::sparse_coo},
                                                                      {2, Layout::sparse_csr},
                                                                      {3, Layout::sparse_csc},
                                                                      {4, Layout::sparse_bsr},
                                                                      {5, Layout::sparse_bsc},
                                                                      {6, Layout::mkldnn},
                                                                      {7, Layout::strided}}};

constexpr std::array<std::pair<std::int64_t, MemoryFormat>, 4> kMemoryFormats = {{{1, MemoryFormat::contiguous},
                                                                                  {2, MemoryFormat::channels_last},
                                                                                  {3, MemoryFormat::channels_last_3d},
                                                                                  {4, MemoryFormat::preserve}}};

template <typename Table>
auto by_number(const Table& table, std::int64_t number) -> std::optional<decltype(table[0].second)> {
  for (const auto& [key, value] : table)
    if (key == number) return value;
  return std::nullopt;
}

template <typename Table, typename T>
std::int64_t number_of(const Table& table, T wanted) {
  for (const auto& [key, value] : table)
    if (value == wanted) return key;
  throw InternalError("value without a number in the pt2 schema");
}

constexpr std::string_view kOps = "torch.ops.";
// What torch finds outside torch.ops when it loads a file.
constexpr std::array<std::string_view, 4> kOtherModules = {"torch.", "_operator.", "math.", "#"};

bool is_elsewhere(std::string_view text) {
  return std::any_of(kOtherModules.begin(), kOtherModules.end(), [&](auto prefix) { return text.starts_with(prefix); });
}

}  // namespace

std::optional<DType> dtype_from_scalar_type(std::int64_t number) { return by_number(kScalarTypes, number); }
std::int64_t scalar_type(DType dtype) { return number_of(kScalarTypes, plain_dtype(dtype)); }
std::optional<Layout> layout_from_number(std::int64_t number) { return by_number(kLayouts, number); }
std::int64_t layout_number(Layout layout) { return number_of(kLayouts, layout); }
std::optional<MemoryFormat> memory_format_from_number(std::int64_t number) { return by_number(kMemoryFormats, number); }
std::int64_t memory_format_number(MemoryFormat format) { return number_of(kMemoryFormats, format); }

std::optional<std::string> target_from_file(std::string_view text) {
  if (text.starts_with(kOps) && text.size() > kOps.size()) return std::string(text.substr(kOps.size()));
  if (is_elsewhere(text)) return std::string(text);
  return std::nullopt;
}

std::string target_to_file(std::string_view target) {
  return is_elsewhere(target) ? std::string(target) : std::string(kOps) + std::string(target);
}

bool is_higher_order(std::string_view target) { return target.starts_with("higher_order."); }

}  // namespace qdq::pt2
