#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>

namespace qdq::onnx {

// The name of an operator as a template argument: write_one<"Abs">.
template <std::size_t N>
struct OpName {
  char text[N];
  constexpr OpName(const char (&name)[N]) { std::copy_n(name, N, text); }  // NOLINT: literals become names
  constexpr std::string_view view() const { return {text, N - 1}; }
};

}  // namespace qdq::onnx
