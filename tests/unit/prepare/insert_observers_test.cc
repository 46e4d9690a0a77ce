#include "prepare/insert_observers.h"

#include <gtest/gtest.h>

#include "prepare/sharing.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

QuantizationSpec spec(std::int64_t quant_min = -128) {
  QuantizationSpec result;
  result.dtype = DType::int8;
  result.observer_or_fake_quant_ctr = min_max_observer();
  result.quant_min = quant_min;
  result.quant_max = 127;
  return result;
}

std::string with_observers(Program& program) {
  insert_observers(program, build_observers(AnnotatedPlaces(program.graph())));
  return to_text(program);
}

constexpr const char* kChain = R"(graph(x: f32[4]) {
  %a: f32[4] = aten.neg.default(%x)
  %b: f32[4] = aten.relu.default(%a)
  %c: f32[4] = aten.exp.default(%a)
  return (%b, %c)
}
)";

TEST(InsertObservers, AllConsumersReadTheOutputObserver) {
  Program program = parse_program(kChain);
  Graph& graph = program.graph();
  annotation_of(*graph.find("a")).output_qspec = spec();
  annotation_of(*graph.find("b")).set_input_qspec(*graph.find("a"), spec());
  EXPECT_EQ(with_observers(program), R"(graph(x: f32[4]) {
  %a: f32[4] = aten.neg.default(%x)
  %activation_post_process_0: f32[4] = call_module @activation_post_process_0(%a)
  %b: f32[4] = aten.relu.default(%activation_post_process_0)
  %c: f32[4] = aten.exp.default(%activation_post_process_0)
  return (%b, %c)
}
)");
}

TEST(InsertObservers, AnotherConfigurationIsChainedBehindTheProducers) {
  Program program = parse_program(kChain);
  Graph& graph = program.graph();
  annotation_of(*graph.find("a")).output_qspec = spec();
  annotation_of(*graph.find("b")).set_input_qspec(*graph.find("a"), spec(-127));
  EXPECT_EQ(with_observers(program), R"(graph(x: f32[4]) {
  %a: f32[4] = aten.neg.default(%x)
  %activation_post_process_0: f32[4] = call_module @activation_post_process_0(%a)
  %activation_post_process_1: f32[4] = call_module @activation_post_process_1(%activation_post_process_0)
  %b: f32[4] = aten.relu.default(%activation_post_process_1)
  %c: f32[4] = aten.exp.default(%activation_post_process_0)
  return (%b, %c)
}
)");
}

TEST(InsertObservers, ConsumersOfOneGroupShareTheCall) {
  Program program = parse_program(kChain);
  Graph& graph = program.graph();
  for (const char* name : {"b", "c"}) annotation_of(*graph.find(name)).set_input_qspec(*graph.find("a"), spec());
  EXPECT_EQ(with_observers(program), R"(graph(x: f32[4]) {
  %a: f32[4] = aten.neg.default(%x)
  %activation_post_process_0: f32[4] = call_module @activation_post_process_0(%a)
  %b: f32[4] = aten.relu.default(%activation_post_process_0)
  %c: f32[4] = aten.exp.default(%activation_post_process_0)
  return (%b, %c)
}
)");
}

TEST(InsertObservers, ABufferThatIsWrittenToStaysItself) {
  Program program = parse_program(R"(attribute @count: buffer f32[1] = [0.0]
graph(x: f32[1]) {
  %count: f32[1] = get_attr @count
  %add_: f32[1] = aten.add_.Tensor(%count, %x)
  return (%add_)
}
)");
  Graph& graph = program.graph();
  for (const char* name : {"count", "x"}) annotation_of(*graph.find("add_")).set_input_qspec(*graph.find(name), spec());
  with_observers(program);
  EXPECT_EQ(graph.find("add_")->input(0)->name(), "count");
  EXPECT_EQ(graph.find("add_")->input(1)->name(), "activation_post_process_0");
}

TEST(InsertObservers, RefusesTensorsAsKeywordArguments) {
  Program program = parse_program(R"(graph(x: f32[1]) {
  %add: f32[1] = aten.add.Tensor(%x, other=%x)
  return (%add)
}
)");
  annotation_of(*program.graph().find("add")).output_qspec = spec();
  try {
    with_observers(program);
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_NE(
        std::string(error.what()).find("'add' (aten.add.Tensor): it takes the tensor 'x' as keyword argument 'other'"),
        std::string::npos);
  }
}

}  // namespace
}  // namespace qdq
