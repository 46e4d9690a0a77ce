#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/report.h"
#include "qdq/xnnpack_quantizer.h"

namespace qdq {
namespace {

Program two_layers() {
  return parse_program(R"(
attribute @w: parameter f32[2, 2] = [1, -2, 0.5, 4]
graph(x: f32[1, 2]) {
  %w: f32[2, 2] = get_attr @w
  %linear: f32[1, 2] = aten.linear.default(%x, %w)
  %sin: f32[1, 2] = aten.sin.default(%linear)
  return (%sin)
})");
}

PreparedProgram prepared_with(const ObserverFactory& observer) {
  XnnpackQuantizer quantizer;
  QuantizationConfig config = symmetric_config({});
  config.input_activation->observer_or_fake_quant_ctr = observer;
  config.output_activation->observer_or_fake_quant_ctr = observer;
  quantizer.set_global(config);
  return prepare(two_layers(), quantizer);
}

const ObservedTensor& find(const std::vector<ObservedTensor>& tensors, std::string_view name) {
  for (const ObservedTensor& tensor : tensors)
    if (tensor.name == name) return tensor;
  throw InvalidArgumentError("not observed: " + std::string(name));
}

// 0, 1, 2 and 3 in four bins from 0 to 3: a quarter each.
TEST(ObservedTensors, HistogramsGiveTheShareOfValuesInBinsOfEqualWidth) {
  for (const ObserverFactory& observer : {histogram_observer(), percentile_observer()}) {
    SCOPED_TRACE(observer.kind());
    PreparedProgram prepared = prepared_with(observer);
    prepared.calibrate({Tensor::from<float>({0, 1}, {1, 2})});
    prepared.calibrate({Tensor::from<float>({2, 3}, {1, 2})});
    const auto tensors = observed_tensors(prepared, 4);
    const ObservedTensor& x = find(tensors, "x");
    EXPECT_EQ(x.observer, observer.kind());
    EXPECT_EQ(x.min, 0);
    EXPECT_EQ(x.max, 3);
    ASSERT_EQ(x.share.size(), 4u);
    for (const double share : x.share) EXPECT_NEAR(share, 0.25, 0.002);
  }
}

TEST(ObservedTensors, BoundsWithoutAHistogramHaveNoShares) {
  PreparedProgram prepared = prepared_with(min_max_observer());
  EXPECT_TRUE(observed_tensors(prepared).empty());  // nothing was seen yet
  prepared.calibrate({Tensor::from<float>({-1, 5}, {1, 2})});
  const auto tensors = observed_tensors(prepared);
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(find(tensors, "x").min, -1);
  EXPECT_EQ(find(tensors, "x").max, 5);
  EXPECT_TRUE(find(tensors, "x").share.empty());
}

std::string page_of(Program quantized, const std::string& title) {
  const Program reference = two_layers();
  return html_report({title, reference, quantized, {}, {}, {}});
}

TEST(HtmlReport, HoldsTheOpsWithRuleAndReason) {
  PreparedProgram prepared = prepared_with(min_max_observer());
  prepared.calibrate({Tensor::from<float>({-1, 5}, {1, 2})});
  const std::string page = page_of(convert(std::move(prepared)), "net");
  EXPECT_NE(page.find(R"("name":"linear","op":"aten.linear.default")"), std::string::npos);
  EXPECT_NE(page.find(R"("quantized":true,"rule":"xnnpack.linear")"), std::string::npos);
  EXPECT_NE(page.find(R"("summary":{"quantized":2,"in_float":0,"float_bytes":16,)"), std::string::npos);
  EXPECT_EQ(page.find("{{"), std::string::npos) << "a part of the page is missing";
}

TEST(HtmlReport, TextOfTheModelCannotLeaveItsPlace) {
  Program program = two_layers();
  const std::string hostile = "</script><script>alert(1)</script><!--{{js}}";
  program.graph().find("sin")->meta.set("stack_trace", "  File \"" + hostile + "\", line 1, in forward\n");
  const std::string page = page_of(std::move(program), hostile);
  EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_NE(page.find(R"(\u003c/script>\u003cscript>alert(1))"), std::string::npos);
  EXPECT_NE(page.find("<title>&lt;/script&gt;"), std::string::npos);
}

TEST(HtmlReport, IsTheSameForTheSameContents) { EXPECT_EQ(page_of(two_layers(), "a"), page_of(two_layers(), "a")); }

}  // namespace
}  // namespace qdq
