// The mistakes that authors of quantizers make, and docs/annotation_errors.md, which shows each with its message.
#include "prepare/mistake.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>

#include "prepare/insert_observers.h"
#include "prepare/sharing.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

constexpr const char* kModel =
    R"(attribute @weight: parameter f32[4, 3] = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
graph(x: f32[s0:2, 3]) {
  %weight: f32[4, 3] = get_attr @weight
  %linear: f32[s0:2, 4] = aten.linear.default(%x, %weight)
  %relu: f32[s0:2, 4] = aten.relu.default(%linear)
  %split: (f32[s0:2, 2], f32[s0:2, 2]) = aten.split.Tensor(%relu, 2, 1)
  %scaled: f32[s0:2, 4] = aten.mul.Tensor(%relu, other=%relu)
  return (%scaled)
}
)";

struct Model {
  Program program = parse_program(kModel);
  Node& x = *program.graph().find("x");
  Node& weight = *program.graph().find("weight");
  Node& linear = *program.graph().find("linear");
  Node& relu = *program.graph().find("relu");
  Node& split = *program.graph().find("split");
  Node& scaled = *program.graph().find("scaled");

  Model() {
    int line = 10;
    for (Node* node : {&linear, &relu, &split, &scaled})
      node->meta.set("stack_trace", "File \"model.py\", line " + std::to_string(++line) + ", in forward\n    ...");
  }
};

QuantizationSpec activation() {
  QuantizationSpec spec;
  spec.dtype = DType::int8;
  spec.observer_or_fake_quant_ctr = min_max_observer();
  return spec;
}

QuantizationSpec changed(const std::function<void(QuantizationSpec&)>& change) {
  QuantizationSpec spec = activation();
  change(spec);
  return spec;
}

struct Case {
  const char* heading;  // in the docs
  std::function<void(Model&)> annotate;
};

const Case kCases[] = {
    {"Sharing with a place that has no spec",
     [](Model& m) { annotation_of(m.relu).output_qspec = SharedQuantizationSpec{EdgeOrNode(m.linear)}; }},
    {"Sharing with an edge that does not exist",
     [](Model& m) { annotation_of(m.relu).output_qspec = SharedQuantizationSpec{EdgeOrNode(m.x, m.relu)}; }},
    {"Sharing in a circle",
     [](Model& m) {
       annotation_of(m.linear).output_qspec = SharedQuantizationSpec{EdgeOrNode(m.relu)};
       annotation_of(m.relu).output_qspec = SharedQuantizationSpec{EdgeOrNode(m.linear)};
     }},
    {"A spec for a tensor that the node does not read",
     [](Model& m) { annotation_of(m.relu).set_input_qspec(m.x, activation()); }},
    {"A node that is no longer in the graph",
     [](Model& m) {
       Node& gone = m.program.graph().call_function("aten.neg.default", {m.x});
       annotation_of(m.relu).set_input_qspec(gone, activation());
       m.program.graph().erase(gone);
     }},
    {"A tensor passed by keyword", [](Model& m) { annotation_of(m.scaled).output_qspec = activation(); }},
    {"An activation quantized per channel",
     [](Model& m) {
       annotation_of(m.linear).set_input_qspec(m.x, changed([](QuantizationSpec& spec) {
                                                 spec.qscheme = QScheme::per_channel_symmetric;
                                                 spec.ch_axis = 0;
                                               }));
     }},
    {"A channel axis that the tensor has not",
     [](Model& m) {
       annotation_of(m.linear).set_input_qspec(m.weight, changed([](QuantizationSpec& spec) {
                                                 spec.qscheme = QScheme::per_channel_symmetric;
                                                 spec.ch_axis = 2;
                                               }));
     }},
    {"An observer that cannot follow the scheme",
     [](Model& m) {
       annotation_of(m.linear).set_input_qspec(
           m.weight, changed([](QuantizationSpec& spec) { spec.qscheme = QScheme::per_channel_symmetric; }));
     }},
    {"Bounds that the dtype does not hold",
     [](Model& m) {
       annotation_of(m.linear).output_qspec = changed([](QuantizationSpec& spec) {
         spec.quant_min = 0;
         spec.quant_max = 255;
       });
     }},
    {"A spec without an observer",
     [](Model& m) {
       annotation_of(m.linear).output_qspec =
           changed([](QuantizationSpec& spec) { spec.observer_or_fake_quant_ctr = {}; });
     }},
    {"A dynamic spec for another dtype than int8 and uint8",
     [](Model& m) {
       annotation_of(m.linear).set_input_qspec(m.x, changed([](QuantizationSpec& spec) {
                                                 spec.dtype = DType::int16;
                                                 spec.is_dynamic = true;
                                               }));
     }},
    {"An output spec on a node that returns several tensors",
     [](Model& m) { annotation_of(m.split).output_qspec = activation(); }},
    {"A derived spec whose source has no observer",
     [](Model& m) {
       DerivedQuantizationSpec derived;
       derived.derived_from = {EdgeOrNode(m.x, m.linear)};
       derived.derive_qparams_fn = [](auto) { return QParams{}; };
       annotation_of(m.linear).output_qspec = derived;
     }},
};

std::string message_of(const Case& mistake) {
  Model model;
  mistake.annotate(model);
  try {
    insert_observers(model.program, build_observers(AnnotatedPlaces(model.program.graph())));
  } catch (const InvalidArgumentError& error) {
    return error.what();
  }
  return "no error at all";
}

std::string docs() {
  std::ifstream file(std::string(QDQ_TESTS_DIR) + "/../docs/annotation_errors.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Mistakes, AreInTheDocsWordForWord) {
  const std::string page = docs();
  for (const Case& mistake : kCases) {
    EXPECT_NE(page.find("## " + std::string(mistake.heading) + "\n"), std::string::npos) << mistake.heading;
    EXPECT_NE(page.find("```\n" + message_of(mistake) + "\n```"), std::string::npos) << mistake.heading << ":\n"
                                                                                     << message_of(mistake);
  }
}

TEST(Mistakes, NameTheNodeItsSourceLineTheRuleAndTheRemedy) {
  for (const Case& mistake : kCases) {
    const std::string message = message_of(mistake);
    for (const char* part : {"[prepare] ", "' (aten.", "model.py:1", "\n  rule: ", "\n  remedy: "})
      EXPECT_NE(message.find(part), std::string::npos) << part << " is missing in: " << message;
  }
}

TEST(Mistakes, TheModelWithoutThemIsPrepared) {
  Model model;
  annotation_of(model.linear).set_input_qspec(model.x, activation());
  annotation_of(model.linear).output_qspec = activation();
  annotation_of(model.relu).set_input_qspec(model.linear, activation());
  EXPECT_EQ(insert_observers(model.program, build_observers(AnnotatedPlaces(model.program.graph()))).size(), 2u);
}

}  // namespace
}  // namespace qdq
