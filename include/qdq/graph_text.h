#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "qdq/graph.h"
#include "qdq/program.h"

namespace qdq {

// The text form of graphs and programs; docs/graph_text.md has the grammar.
//
//     graph(x: f32[s0, 8]) {
//       %relu: f32[s0, 8] = aten.relu.default(%x)
//       return (%relu)
//     }
struct TextOptions {
  // Which tensors print their values. Those that do not come back as meta tensors: sizes without data.
  enum class Data {
    none,
    small,  // up to kSmallTensor elements, and tensors that hold one value everywhere
    all,
  };
  bool attributes = false;   // a line for each tensor of the program
  bool metadata = false;     // stack traces and the rest below their node, argument names, notes of passes
  bool passthrough = false;  // the JSON that a .pt2 carries beside the graph
  Data data = Data::small;

  static TextOptions compact() { return {}; }
  static TextOptions with_attributes() { return {.attributes = true}; }
  static TextOptions full() { return {.attributes = true, .metadata = true, .passthrough = true}; }
  static TextOptions lossless() {
    return {.attributes = true, .metadata = true, .passthrough = true, .data = Data::all};
  }
};

inline constexpr std::int64_t kSmallTensor = 16;

std::string to_text(const Graph& graph, const TextOptions& options = {});
std::string to_text(const Program& program, const TextOptions& options = {});
std::string to_text(const Node& node);          // its line, without indentation or newline
std::string to_text(const ValueType& type);     // "f32[s0, 8]", "" when nothing is known
std::string to_text(const Argument& argument);  // "[%x, 0.5, none]"

// Throws FormatError "[parse] `where`:line:column: expected ..., found ...". The text may be hostile: nesting and the
// memory that tensors take are bounded. Inputs and outputs that the text does not specify are user inputs (one for each
// placeholder) and user outputs (one for each result).
Program parse_program(std::string_view text, std::string_view where = "text");
// As above, for a graph without header lines.
std::unique_ptr<Graph> parse_graph(std::string_view text, std::string_view where = "text");

// Same nodes, names, arguments, types, metadata and notes in the same order; floats compare by their bits. The order of
// a node's users, annotations and names that were given away earlier do not count. `difference`, if given, receives the
// first difference.
bool equal(const Graph& a, const Graph& b, std::string* difference = nullptr);
// Also signature, ranges, passthrough and the attributes' values (bit_equal), strides included.
bool equal(const Program& a, const Program& b, std::string* difference = nullptr);

}  // namespace qdq
