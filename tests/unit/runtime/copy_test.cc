#include "runtime/copy.h"

#include <gtest/gtest.h>

namespace qdq::runtime {
namespace {

Tensor counting(Shape sizes) {
  Tensor t = Tensor::empty(DType::float32, std::move(sizes));
  for (std::int64_t i = 0; i < t.numel(); ++i) t.data<float>()[i] = static_cast<float>(i);
  return t;
}

Tensor channels_last(const Shape& s) {
  return Tensor::empty(DType::float32, s).as_strided(s, {s[1] * s[2] * s[3], 1, s[3] * s[1], s[1]}, 0);
}

TEST(Copy, ReordersNchwToChannelsLastAndBack) {
  const Tensor nchw = counting({2, 19, 5, 33});
  const Tensor nhwc = channels_last(nchw.sizes());
  copy(nchw, nhwc);
  const float* data = nhwc.data<float>();
  EXPECT_EQ(data[0], 0.0f);
  EXPECT_EQ(data[1], 165.0f);  // channel 1 of the first pixel
  EXPECT_EQ(data[19], 1.0f);   // channel 0 of the second pixel
  const Tensor back = Tensor::empty(DType::float32, nchw.sizes());
  copy(nhwc, back);
  EXPECT_TRUE(bit_equal(back, nchw));
}

TEST(Copy, BroadcastsThroughZeroStridesAndConverts) {
  const Tensor row = Tensor::from<std::int64_t>({1, 2, 3}, {3});
  const Tensor to = Tensor::empty(DType::float32, {2, 3});
  copy(row.as_strided({2, 3}, {0, 1}, 0), to);
  EXPECT_TRUE(bit_equal(to, Tensor::from<float>({1, 2, 3, 1, 2, 3}, {2, 3})));
}

TEST(Copy, TransposesViewsWithAnOffset) {
  const Tensor base = counting({4, 6});
  const Tensor view = base.as_strided({3, 2}, {1, 6}, 8);  // rows 1.., columns 2.., transposed
  const Tensor to = Tensor::empty(DType::float32, {3, 2});
  copy(view, to);
  EXPECT_TRUE(bit_equal(to, Tensor::from<float>({8, 14, 9, 15, 10, 16}, {3, 2})));
}

TEST(Copy, LeavesEmptyTensorsAlone) { copy(Tensor::empty(DType::int8, {0, 3}), Tensor::empty(DType::int8, {0, 3})); }

}  // namespace
}  // namespace qdq::runtime
