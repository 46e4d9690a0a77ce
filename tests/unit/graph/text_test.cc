#include <gtest/gtest.h>

#include <limits>

#include "graph/text_names.h"
#include "qdq/graph_text.h"
#include "support/random_graph.h"

namespace qdq {
namespace {

// The text that an error message must contain when `text` is parsed.
std::string parse_error(const std::string& text) {
  try {
    parse_program(text);
  } catch (const FormatError& e) {
    return e.what();
  }
  return "no error";
}

std::string round_trip(const std::string& text) { return to_text(parse_program(text), TextOptions::full()); }

constexpr const char* kSmall = R"(graph(x: f32[s0, 8]) {
  %dropout: f32[s0, 8] = aten.dropout.default(%x, 0.5, false)
  %relu: f32[s0, 8] = aten.relu.default(%dropout)
  return (%relu)
}
)";

TEST(Text, ReadsWhatItPrints) { EXPECT_EQ(round_trip(kSmall), kSmall); }

TEST(Text, FillsTheGraph) {
  const Program program = parse_program(kSmall);
  const Graph& graph = program.graph();
  ASSERT_EQ(graph.size(), 4u);
  const Node& dropout = *graph.find("dropout");
  EXPECT_EQ(dropout.target(), "aten.dropout.default");
  EXPECT_EQ(dropout.input(0)->name(), "x");
  EXPECT_EQ(dropout.arg(1), Argument(0.5));
  EXPECT_EQ(dropout.arg(2), Argument(false));
  EXPECT_EQ(dropout.type.tensor()->sizes[0].expr, "Symbol('s0', positive=True, integer=True)");
  EXPECT_FALSE(dropout.type.tensor()->sizes[0].has_hint);
  EXPECT_EQ(dropout.type.tensor()->strides, (std::vector<SymInt>{8, 1}));
  ASSERT_EQ(program.inputs.size(), 1u);
  EXPECT_EQ(program.inputs[0].name, "x");
  EXPECT_EQ(program.outputs.size(), 1u);
}

TEST(Text, PrintsSizesReadably) {
  const auto printed = [](const std::string& expr, std::optional<std::int64_t> hint) {
    TensorMeta meta;
    meta.sizes = {SymInt::symbolic(expr, hint)};
    meta.strides = {1};
    ValueType type;
    type.v = meta;
    return to_text(type);
  };
  const std::string s77 = "Symbol('s77', positive=True, integer=True)";
  EXPECT_EQ(printed(s77, 2), "f32[s77:2]");
  EXPECT_EQ(printed("Add(Mul(Integer(2), " + s77 + "), Integer(-1))", std::nullopt), "f32[2*s77 + -1]");
  EXPECT_EQ(printed("Mul(Integer(2), Add(" + s77 + ", Integer(1)))", 6), "f32[2*(s77 + 1):6]");
  EXPECT_EQ(printed("FloorDiv(" + s77 + ", Integer(8))", std::nullopt), "f32[FloorDiv(s77, 8)]");
  EXPECT_EQ(printed("Symbol('u0', integer=True)", std::nullopt), "f32[u0]");
  EXPECT_EQ(printed("Symbol('s77', integer=True)", std::nullopt), "f32[`Symbol('s77', integer=True)`]");
}

TEST(Text, LeavesOutTheStridesOfContiguousTensors) {
  const std::string s17 = "Symbol('s17', positive=True, integer=True)";
  const std::string s27 = "Symbol('s27', positive=True, integer=True)";
  TensorMeta meta;
  meta.sizes = {SymInt::symbolic(s17, 3), 16, SymInt::symbolic(s27, 6), 1};
  // As torch.export writes them.
  meta.strides = {SymInt::symbolic("Mul(Integer(16), " + s27 + ")", 96), SymInt::symbolic(s27, 6), 1, 1};
  ValueType type;
  type.v = meta;
  EXPECT_EQ(to_text(type), "f32[s17:3, 16, s27:6, 1]");
  meta.strides[2] = 2;
  type.v = meta;
  EXPECT_EQ(to_text(type), "f32[s17:3, 16, s27:6, 1] strides [16*s27:96, s27:6, 2, 1]");
}

TEST(Text, PrintsEveryKindOfLine) {
  constexpr const char* text =
      R"(attribute @0.weight: parameter f32[2, 2] requires_grad lifted "p_weight" = [1.0, -0.0, 0.1, nan]
attribute @big: buffer f16[4, 8] non_persistent = full(0.5)
attribute @"odd name": constant i64[3] = [1, -2, 3]
attribute @torchbind: custom_obj
attribute @unknown_values: parameter f32[4, 8] strides [1, 4]
range s0: 2.._
input user_input "x"
input constant_input "flag" = true
output buffer_mutation "big"
output user_output
passthrough "verifiers" "[\"TRAINING\"]"
graph(x: f32[s0:3, 8] strides [1, s0:3] offset 2 requires_grad device("cuda", 0)) {
  %weight: f32[2, 2] = get_attr @0.weight
    @stack_trace "File \"m.py\", line 3"
  %obs = call_module @activation_post_process_0(%x)
  %split: (f32[2, 8], f32[2, 8]) = aten.split.Tensor(%obs, [2, 2], dim=0)
    arg_names ["self", "split_size"]
  %n: symint(s0:3) = aten.sym_size.int(%x, 0)
  %b: symbool(`Eq(s0, 1)`:false) = operator.eq(%n, 1)
  %c = "my op"(%x, {"a": [%n, none]}, complex(0.0, 1.0), f16, layout.strided, memory_format.channels_last, op aten.add.Tensor)
  %cond: (f32[2]) = higher_order.cond(%b, subgraph "true_graph_0" graph(y) single_tensor_return {
    return (%y)
  }, opaque("as_foo", "{}"), inf, -inf, float_bits("fff8000000000000"))
    hop_single_tensor_return true
  return (%n, %split)
  note "x" "fuse_conv_bn" "no batch norm"
}
)";
  EXPECT_EQ(round_trip(text), text);
}

TEST(Text, KeepsLargeTensorsOnlyWhenAsked) {
  Program program = parse_program("graph() {\n return ()\n}");
  Tensor values = Tensor::empty(DType::float32, {20});
  for (int i = 0; i < 20; ++i) values.data<float>()[i] = static_cast<float>(i) / 3;
  program.attributes.add({"w", AttributeKind::parameter, values, true, false, ""});
  const Program without = parse_program(to_text(program, TextOptions::full()));
  EXPECT_TRUE(without.attributes.tensor("w").is_meta());
  std::string difference;
  EXPECT_FALSE(equal(program, without, &difference));
  EXPECT_EQ(difference, "attribute 'w': only one has values");
  EXPECT_TRUE(equal(program, parse_program(to_text(program, TextOptions::lossless())), &difference)) << difference;
}

TEST(Text, RoundTripsRandomPrograms) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const Program program = test::random_program(random, 1 + static_cast<int>(seed % 30));
    const std::string text = to_text(program, TextOptions::lossless());
    const Program back = parse_program(text);
    ASSERT_EQ(to_text(back, TextOptions::lossless()), text) << "seed " << seed;
    std::string difference;
    ASSERT_TRUE(equal(program, back, &difference)) << "seed " << seed << ": " << difference << "\n" << text;
  }
}

TEST(Text, NamesTheFirstDifference) {
  const auto a = parse_graph("graph(x) { %y = aten.relu.default(%x) return (%y) }");
  const auto b = parse_graph("graph(x) { %y = aten.neg.default(%x) return (%y) }");
  const auto c = parse_graph("graph(x) { %y = aten.relu.default(%x) @k \"v\" return (%y) }");
  const auto d = parse_graph("graph(x) { %y = aten.relu.default(%x) }");
  std::string difference;
  EXPECT_FALSE(equal(*a, *b, &difference));
  EXPECT_EQ(difference, "'%y = aten.relu.default(%x)' against '%y = aten.neg.default(%x)'");
  EXPECT_FALSE(equal(*a, *c, &difference));
  EXPECT_EQ(difference, "'y': metadata");
  EXPECT_FALSE(equal(*a, *d, &difference));
  EXPECT_EQ(difference, "one graph ends before 'output'");
}

TEST(Text, ErrorsSayWhereAndWhat) {
  EXPECT_EQ(parse_error("graph(x) {\n  %y = aten.relu.default(%z)\n}"),
            "[parse] text:2:26: no node named 'z' before this one");
  EXPECT_EQ(parse_error("graph(x) {\n  %x = f(1)\n}"), "[parse] text:2:3: a second node named 'x'");
  EXPECT_EQ(parse_error("graph(x) { return (%x) "),
            "[parse] text:1:24: expected '%name = ...', 'return', 'note' or '}', found the end");
  EXPECT_EQ(parse_error("grap(x)"),
            "[parse] text:1:1: expected 'graph' or a line that begins with attribute, range, input, "
            "output or passthrough, found 'grap'");
  EXPECT_EQ(parse_error("graph() {} x"), "[parse] text:1:12: expected the end of the text, found 'x'");
  EXPECT_EQ(parse_error("graph(x: f33[2]) {}"),
            "[parse] text:1:10: expected a type, as f32[2, s0], symint(s0), (f32[2], f32[3]) or unknown, found 'f33'");
  EXPECT_EQ(parse_error("graph() { %a = f(1.5.2) }"), "[parse] text:1:18: expected a number, found '1.5.2'");
  EXPECT_EQ(parse_error("graph() { %a = f(99999999999999999999) }"),
            "[parse] text:1:18: the number '99999999999999999999' does not fit 64 bits");
  EXPECT_EQ(parse_error("graph() { %a = f(\"abc) }"), "[parse] text:1:18: the string does not end on its line");
  EXPECT_EQ(parse_error("graph() { %a = f(k=1, k=2) }"), "[parse] text:1:23: argument 'k' given twice");
  EXPECT_EQ(parse_error("attribute @w: buffer i8[2] = [1, 300]\ngraph() {}"),
            "[parse] text:1:34: 300 does not fit int8");
  EXPECT_EQ(parse_error("attribute @w: buffer i8[2] = [1]\ngraph() {}"),
            "[parse] text:1:32: expected 2 values, found 1");
}

TEST(Text, BoundsWhatHostileTextMayAskFor) {
  std::string deep = "graph() { %a = f(";
  deep += std::string(100000, '[');
  EXPECT_NE(parse_error(deep).find("nested deeper than 100"), std::string::npos);
  EXPECT_NE(parse_error("graph(x: " + std::string(100000, '(')).find("nested deeper than 100"), std::string::npos);
  EXPECT_NE(parse_error("graph(x: f32[" + std::string(100000, '(')).find("nested deeper than 100"), std::string::npos);
  std::string graphs = "graph() { %a = f(";
  for (int i = 0; i < 10000; ++i) graphs += "subgraph \"s\" graph() { %a = f(";
  EXPECT_NE(parse_error(graphs).find("nested deeper than 100"), std::string::npos);

  EXPECT_NE(parse_error("attribute @w: buffer f32[99999999999] = full(1.0)\ngraph() {}").find("more memory"),
            std::string::npos);
  EXPECT_NE(parse_error("attribute @w: buffer f32[9223372036854775807, 4] = []\ngraph() {}").find("[parse] text:1:22"),
            std::string::npos);
  EXPECT_NE(parse_error("attribute @w: buffer f32[2] strides [99999999999] = [1, 2]\ngraph() {}").find("more memory"),
            std::string::npos);
  EXPECT_NE(parse_error("attribute @w: buffer f32[-2] = []\ngraph() {}").find("negative"), std::string::npos);
}

TEST(Text, EveryTruncationAndMutationParsesOrFailsCleanly) {
  std::mt19937 random(7);
  const std::string text = to_text(test::random_program(random, 25), TextOptions::lossless());
  for (std::size_t n = 0; n < text.size(); ++n) {
    std::string damaged = text;
    if (n % 2)
      damaged.resize(n);
    else
      damaged[n] = static_cast<char>(random() & 0xff);
    try {
      parse_program(damaged);
    } catch (const FormatError&) {
      // the only exception that damaged text may cause
    }
  }
}

TEST(Text, BoundsInMetadataAreReadBackToTheBit) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const auto& [low, high] : {std::pair(0.0, 6.0), {-1.5, 3.25}, {-kInfinity, 0.1}, {1e-300, kInfinity}}) {
    const auto found = text::find_bounds(text::bounds(low, high));
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, std::pair(low, high));
  }
  EXPECT_EQ(text::bounds(0, 6), "0.0 6.0");
  EXPECT_EQ(text::find_bounds("0 6"), std::pair(0.0, 6.0));
  for (const char* text : {"", "1", "1 ", " 1 2", "1  2", "1 2 ", "1 2 3", "1,2", "low high", "1 2x"})
    EXPECT_FALSE(text::find_bounds(text)) << '"' << text << '"';
}

}  // namespace
}  // namespace qdq
