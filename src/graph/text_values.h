#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graph/text_lexer.h"
#include "qdq/graph.h"

namespace qdq::text {

// Reads arguments and types of the text form. Nesting is bounded: recursion follows hostile text.
class ValueParser {
 public:
  // `graph` reads "graph(...) {...}" for subgraphs.
  ValueParser(Lexer& lexer, std::function<std::unique_ptr<Graph>()> graph) : lexer_(lexer), graph_(std::move(graph)) {}

  // `graph` has the nodes that %name may refer to; none when null.
  Argument argument(const Graph* graph);
  // Arguments between `open` and `close`, separated by commas.
  Argument::List items(std::string_view open, std::string_view close, const Graph& graph) {
    return items(open, close, &graph);
  }
  ValueType type();
  // "f32[2, 3]", with modifiers "f32[2, 3] strides [1, 2] offset 4 requires_grad device(...) layout.mkldnn".
  TensorMeta tensor_type(bool with_modifiers);
  std::vector<SymInt> sizes();  // "[2, s0]"
  std::string word_or_string(std::string_view what);
  bool boolean();

 private:
  Argument::List items(std::string_view open, std::string_view close, const Graph* graph);
  Argument word(const Graph* graph);
  Argument::Dict dictionary(const Graph* graph);
  double real();
  Device device();

  Lexer& lexer_;
  std::function<std::unique_ptr<Graph>()> graph_;
  int depth_ = 0;
};

}  // namespace qdq::text
