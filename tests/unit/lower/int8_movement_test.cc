// What only moves values moves bytes on the int8 engine.
#include "int8_testing.h"

namespace qdq::lower::testing {
namespace {

TEST_P(Int8Lowering, ViewsAndConcatenationsMoveBytes) {
  Node& x = t.input("x", kSizes);
  Node& q = through(x, kIn);
  Node& both = t.g.call_function("aten.cat.default", {Argument(Argument::List{q, through(x, kIn)}), 1});
  Node& flat = t.g.call_function("aten.flatten.using_ints", {through(both, kIn), 1});
  t.output({&quantize(flat, kIn)});
  expect_moved_bytes(random_tensor(kSizes, 5));
}

TEST_P(Int8Lowering, PaddingAndEnlargingMoveBytes) {
  Node& x = t.input("x", kSizes);
  Node& padded = t.g.call_function("aten.pad.default", {through(x, kIn), P::ints({0, 0, 1, 0, 2, 1})});
  Node& ones = t.g.call_function("aten.constant_pad_nd.default", {through(padded, kIn), P::ints({1, 2}), kIn.scale});
  Node& larger = t.g.call_function("aten.upsample_nearest2d.vec",
                                   {through(ones, kIn), Argument(), Argument(Argument::List{2.0, 4.0})});
  t.output({&quantize(larger, kIn)});
  expect_moved_bytes(random_tensor(kSizes, 5));
}

TEST_P(Int8Lowering, PaddingWithWhatIsNotOnTheGridStaysInFloat) {
  Node& x = t.input("x", kSizes);
  Node& padded = t.g.call_function("aten.pad.default", {through(x, kIn), P::ints({1, 1}), "constant", 0.0137});
  t.output({&padded});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(only_reason(notes), "what it pads with is not on the grid");
  expect_like_reference(t.program, {input}, 0.0);
}

TEST_P(Int8Lowering, PartsAndIdleDropoutAreNotReportedAsFloat) {
  Node& x = t.input("x", kSizes);
  Node& part = t.g.call_function("aten.slice.Tensor", {through(x, kIn), 1, 2, 7});
  Node& dropped = t.g.call_function("aten.dropout.default", {through(part, kIn), 0.5, false});
  t.output({&quantize(dropped, kOut)});
  expect_moved_bytes(random_tensor(kSizes, 5));
}

// As the heads of attention are taken out of one product: what is selected has gaps.
TEST_P(Int8Lowering, APartOfAValueIsQuantizedWithoutItsGaps) {
  Node& x = t.input("x", {2, 5, 24});
  Node& heads = t.g.call_function("aten.view.default", {through(x, kIn), P::ints({2, 5, 2, 2, 6})});
  Node& first = t.g.call_function("aten.permute.default", {heads, P::ints({2, 0, 3, 1, 4})});
  Node& query = t.g.call_function("aten.select.int", {first, 0, 1});
  Node& other = t.g.call_function("aten.sigmoid.default", {through(query, kIn)});
  t.output({&quantize(other, {1.0 / 256, 0})});
  expect_like_reference(t.program, {random_tensor({2, 5, 24}, 5, -4.0f, 4.0f)}, 0.0);
}

}  // namespace
}  // namespace qdq::lower::testing
