#include <charconv>
#include <vector>

#include "qdq/affine.h"
#include "qdq/error.h"

namespace qdq {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

[[noreturn]] void refuse(const Granularity& granularity, std::span<const std::int64_t> sizes, const std::string& why) {
  throw InvalidArgumentError("[observe] " + to_string(granularity) + " of sizes " + to_string(sizes) + ": " + why);
}

// "2,-4" to numbers; empty for anything else.
std::optional<Shape> parse_numbers(std::string_view text) {
  Shape numbers;
  for (const char* at = text.data(); at != text.data() + text.size();) {
    if (!numbers.empty() && *at++ != ',') return std::nullopt;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), number);
    if (error != std::errc()) return std::nullopt;
    numbers.push_back(number);
    at = end;
  }
  return numbers;
}

}  // namespace

std::string to_string(const Granularity& granularity) {
  const auto call = [](const char* name, std::span<const std::int64_t> numbers) {
    std::string text = std::string(name) + "(";
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (i > 0) text += ',';
      text += std::to_string(numbers[i]);
    }
    return text + ")";
  };
  return std::visit(Overloaded{[](const PerTensor&) { return std::string("PerTensor"); },
                               [](const PerToken&) { return std::string("PerToken"); },
                               [&](const PerAxis& per) {
                                 return call("PerAxis", {&per.axis, 1});
                               },
                               [&](const PerGroup& per) {
                                 return call("PerGroup", {&per.group_size, 1});
                               },
                               [&](const PerRow& per) {
                                 return call("PerRow", {&per.dim, 1});
                               },
                               [&](const PerBlock& per) { return call("PerBlock", per.block_size); }},
                    granularity);
}

std::optional<Granularity> granularity_from_text(std::string_view text) {
  if (text == "PerTensor") return PerTensor{};
  if (text == "PerToken") return PerToken{};
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos || text.back() != ')') return std::nullopt;
  const std::string_view name = text.substr(0, open);
  const auto numbers = parse_numbers(text.substr(open + 1, text.size() - open - 2));
  if (!numbers || numbers->empty()) return std::nullopt;
  if (name == "PerBlock") return PerBlock{*numbers};
  if (numbers->size() != 1) return std::nullopt;
  if (name == "PerAxis") return PerAxis{numbers->front()};
  if (name == "PerGroup") return PerGroup{numbers->front()};
  if (name == "PerRow") return PerRow{numbers->front()};
  return std::nullopt;
}

Shape block_size_of(const Granularity& granularity, std::span<const std::int64_t> sizes) {
  const auto dimension = [&](std::int64_t d) {
    const auto dims = static_cast<std::int64_t>(sizes.size());
    if (d < -dims || d >= dims) refuse(granularity, sizes, "there is no dimension " + std::to_string(d));
    return static_cast<std::size_t>(d < 0 ? d + dims : d);
  };
  const Shape whole(sizes.begin(), sizes.end());
  Shape block(sizes.size(), 1);
  std::visit(Overloaded{[&](const PerTensor&) { block = whole; },
                        [&](const PerAxis& per) {
                          block = whole;
                          block[dimension(per.axis)] = 1;
                        },
                        [&](const PerGroup& per) { block[dimension(-1)] = per.group_size; },
                        [&](const PerToken&) {
                          const std::size_t last = dimension(-1);
                          block[last] = whole[last];
                        },
                        [&](const PerRow& per) {
                          const std::size_t d = dimension(per.dim);
                          block[d] = whole[d];
                        },
                        [&](const PerBlock& per) {
                          if (per.block_size.size() > whole.size())
                            refuse(granularity, sizes, "at most " + std::to_string(whole.size()) + " numbers expected");
                          std::copy(per.block_size.rbegin(), per.block_size.rend(), block.rbegin());
                        }},
             granularity);
  for (std::size_t d = 0; d < block.size(); ++d)
    if (block[d] != whole[d] && (block[d] < 1 || whole[d] % block[d] != 0))
      refuse(granularity, sizes,
             "blocks of " + std::to_string(block[d]) + " do not divide dimension " + std::to_string(d));
  return block;
}

std::string_view name(MappingType mapping_type) {
  switch (mapping_type) {
    case MappingType::symmetric: return "SYMMETRIC";
    case MappingType::symmetric_no_clipping_err: return "SYMMETRIC_NO_CLIPPING_ERR";
    case MappingType::asymmetric: return "ASYMMETRIC";
  }
  throw InternalError("unknown mapping type " + std::to_string(static_cast<int>(mapping_type)));
}

std::string_view name(ZeroPointDomain zero_point_domain) {
  switch (zero_point_domain) {
    case ZeroPointDomain::integer: return "INT";
    case ZeroPointDomain::floating: return "FLOAT";
    case ZeroPointDomain::none: return "NONE";
  }
  throw InternalError("unknown zero point domain " + std::to_string(static_cast<int>(zero_point_domain)));
}

}  // namespace qdq
