#include "qdq/pass_manager.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

Program small() {
  return parse_program("graph(x) { %a = aten.neg.default(%x) %b = aten.relu.default(%x) return (%b) }");
}

int rename_nothing(Graph&) { return 0; }

int append_relu(Graph& graph) {
  Node& output = *graph.output_node();
  auto here = graph.inserting_before(output);
  Node& relu = graph.call_function("aten.relu.default", {output.arg(0).list()->at(0)});
  output.set_arg(0, Argument::List{relu});
  return 1;
}

int break_order(Graph& graph) {
  graph.move_before(*graph.find("b"), *graph.first());
  return 1;
}

TEST(PassManager, RunsPassesInOrderAndReports) {
  Program program = small();
  PassManager passes;
  passes.add("append_relu", append_relu).add("nothing", rename_nothing).add("append-relu", append_relu);
  const auto report = passes.run(program);
  ASSERT_EQ(report.size(), 3u);
  EXPECT_EQ(report[0].name, "append_relu");
  EXPECT_EQ(report[0].changed, 1);
  EXPECT_GE(report[0].seconds, 0);
  EXPECT_EQ(report[1].changed, 0);
  EXPECT_EQ(report[2].name, "append_relu");
  EXPECT_EQ(program.graph().size(), 6u);
  EXPECT_EQ(to_text(report).substr(0, 22), "append_relu         1 ");
}

TEST(PassManager, SkipsDisabledPassesInEitherSpelling) {
  Program program = small();
  PassOptions options;
  options.disabled = {"append-relu"};
  PassManager passes(options);
  passes.add("append_relu", append_relu);
  EXPECT_TRUE(passes.run(program)[0].disabled);
  EXPECT_EQ(program.graph().size(), 4u);
}

TEST(PassManager, DumpsAfterTheNamedPass) {
  Program program = small();
  std::vector<std::string> dumps;
  PassOptions options;
  options.dump_after = {"append_relu"};
  options.dump = [&](std::string_view pass, const Program& now) {
    dumps.push_back(std::string(pass) + "\n" + to_text(now));
  };
  PassManager passes(options);
  passes.add("nothing", rename_nothing).add("append_relu", append_relu);
  passes.run(program);
  ASSERT_EQ(dumps.size(), 1u);
  EXPECT_EQ(dumps[0],
            "append_relu\ngraph(x) {\n  %a = aten.neg.default(%x)\n  %b = aten.relu.default(%x)\n"
            "  %relu_default = aten.relu.default(%b)\n  return (%relu_default)\n}\n");
}

TEST(PassManager, RefusesOptionsForPassesThatItDoesNotHave) {
  Program program = small();
  PassOptions options;
  options.disabled = {"fuse-everything"};
  PassManager passes(options);
  passes.add("append_relu", append_relu);
  try {
    passes.run(program);
    FAIL() << "expected an error";
  } catch (const InvalidArgumentError& e) {
    EXPECT_STREQ(e.what(), "disable-pass: expected one of append_relu; found 'fuse-everything'");
  }
}

TEST(PassManager, NamesThePassThatBreaksTheGraph) {
  Program program = small();
  PassOptions options;
  options.verify = true;
  PassManager passes(options);
  passes.add("append_relu", append_relu).add("break_order", break_order);
  try {
    passes.run(program);
    FAIL() << "expected an error";
  } catch (const InternalError& e) {
    EXPECT_STREQ(e.what(),
                 "[break_order] [verify after break_order] 'b' (aten.relu.default): reads 'x', which comes after it "
                 "(this is a bug in qdq, please report it)");
  }
}

TEST(PassManager, NamesThePassThatThrowsAndKeepsTheClass) {
  Program program = small();
  PassManager passes;
  passes.add("refuse", [](Program&) -> int { throw UnsupportedOpError("'a' (aten.neg.default): no kernel"); });
  try {
    passes.run(program);
    FAIL() << "expected an error";
  } catch (const UnsupportedOpError& e) {
    EXPECT_STREQ(e.what(), "[refuse] 'a' (aten.neg.default): no kernel");
  }
}

TEST(AllPasses, AreFoundInEitherSpelling) {
  ASSERT_NE(find_pass("remove-identity"), nullptr);
  EXPECT_EQ(find_pass("remove-identity"), find_pass("remove_identity"));
  EXPECT_EQ(find_pass("no_such_pass"), nullptr);
}

TEST(AllPasses, AreInTheOrderOfTheirNamesAndDescribed) {
  std::string_view previous;
  for (const NamedPass& pass : all_passes()) {
    EXPECT_EQ(pass_name(pass.name), pass.name);
    EXPECT_LT(previous, pass.name);
    EXPECT_FALSE(pass.description.empty()) << pass.name;
    EXPECT_FALSE(pass.description.ends_with(".")) << pass.name;
    EXPECT_LE(pass.description.size(), 70u) << pass.name;
    previous = pass.name;
  }
}

}  // namespace
}  // namespace qdq
