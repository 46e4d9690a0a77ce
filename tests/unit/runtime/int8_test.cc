// Every kernel set against the integer reference, bit for bit, on random shapes.
#include <gtest/gtest.h>

#include <random>

#include "qdq/error.h"
#include "reference/integer.h"
#include "runtime/elementwise.h"
#include "runtime/helper_threads.h"
#include "runtime/int8/attention.h"
#include "runtime/int8/binary.h"
#include "runtime/int8/convolution.h"
#include "runtime/int8/dynamic.h"
#include "runtime/int8/elementwise.h"
#include "runtime/int8/matmul.h"
#include "runtime/int8/pooling.h"
#include "runtime/int8/transposed.h"
#include "runtime/int8/winograd.h"
#include "runtime/parallel.h"

namespace qdq::runtime::int8 {
namespace {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<unsigned>(high - low + 1));
  }
  double real(double low, double high) { return low + (high - low) * static_cast<double>(engine_() % 65537) / 65536.0; }

  Tensor bytes(const Shape& sizes) {
    const Tensor t = Tensor::empty(DType::uint8, sizes);
    for (std::int64_t i = 0; i < t.numel(); ++i) t.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(between(0, 255));
    return t;
  }
  Tensor weights(const Shape& sizes) {
    const Tensor t = Tensor::empty(DType::int8, sizes);
    for (std::int64_t i = 0; i < t.numel(); ++i)
      t.data<std::int8_t>()[i] = static_cast<std::int8_t>(between(-128, 127));
    return t;
  }
  Tensor floats(std::int64_t count, double low, double high) {
    const Tensor t = Tensor::empty(DType::float32, {count});
    for (std::int64_t i = 0; i < count; ++i) t.data<float>()[i] = static_cast<float>(real(low, high));
    return t;
  }
  integer::Grid grid(double scale) {
    const std::int64_t low = between(0, 3) == 0 ? between(0, 100) : 0;
    return {scale, static_cast<std::int32_t>(between(0, 255)), static_cast<std::int32_t>(low), 255};
  }

 private:
  std::mt19937 engine_;
};

// The same values with the channels innermost, `gap` bytes between pixels.
Tensor channels_last(const Tensor& t, std::int64_t gap = 0) {
  const std::int64_t pixel = t.size(1) + gap;
  Shape strides(t.sizes().size(), 1);
  std::int64_t next = pixel;
  for (std::size_t d = t.sizes().size(); d-- > 2;) {
    strides[d] = next;
    next *= t.sizes()[d];
  }
  strides[0] = next;
  const Tensor result(Storage::allocate(static_cast<std::size_t>(next * t.size(0)) * element_size(t.dtype())),
                      t.dtype(), t.sizes(), strides);
  result.copy_from(t);
  return result;
}

void run(const Step& step) {
  std::vector<Tensor> operands = step.reads;
  operands.insert(operands.end(), step.writes.begin(), step.writes.end());
  step.bind(operands)();
}

// Runs on every instruction set that this machine has.
class Int8Kernels : public ::testing::TestWithParam<const Kernels*> {};

struct Case {
  Shape input, weight;
  ConvParams params;
};

Case random_case(Random& random) {
  Case c;
  const auto spatial = static_cast<std::size_t>(random.between(1, 3));
  const std::int64_t kind = random.between(0, 3);
  const std::int64_t groups = kind == 0 ? random.between(2, 150) : kind == 1 ? random.between(1, 3) : 1;
  const std::int64_t in = kind == 0 ? 1 : random.between(1, 19) * (random.between(0, 1) ? 4 : 1);
  const std::int64_t out = kind == 0 && random.between(0, 1) ? 1 : random.between(1, kind == 0 ? 3 : 150);
  c.params.groups = groups;
  c.params.transposed = random.between(0, 2) == 0;
  c.input = {random.between(1, 2), in * groups};
  c.weight = c.params.transposed ? Shape{in * groups, out} : Shape{out * groups, in};
  for (std::size_t d = 0; d < spatial; ++d) {
    const std::int64_t kernel = random.between(1, spatial == 3 ? 2 : 4), dilation = random.between(1, 2);
    const std::int64_t reach = (kernel - 1) * dilation;
    c.input.push_back(reach + random.between(1, spatial == 1 ? 40 : spatial == 2 ? 14 : 9));
    c.weight.push_back(kernel);
    c.params.stride.push_back(random.between(1, 3));
    c.params.padding.push_back(c.params.transposed ? random.between(0, reach / 2) : random.between(0, reach));
    c.params.dilation.push_back(dilation);
    c.params.output_padding.push_back(c.params.transposed ? random.between(0, c.params.stride.back() - 1) : 0);
  }
  c.params.padding_after = c.params.padding;
  return c;
}

// The filter that has kernels of its own in most sets.
Case random_3x3_case(Random& random) {
  Case c;
  c.params.groups = random.between(2, 150);
  c.input = {random.between(1, 2), c.params.groups, random.between(3, 9), random.between(3, 14)};
  c.weight = {c.params.groups, 1, 3, 3};
  c.params.stride = {random.between(1, 2), random.between(1, 2)};
  c.params.padding = {random.between(0, 2), random.between(0, 2)};
  c.params.dilation = {random.between(1, 2), 1};
  c.params.output_padding = {0, 0};
  if (c.params.dilation[0] == 2) c.input[2] += 2;
  c.params.padding_after = c.params.padding;
  return c;
}

// What sets with a WinogradKernel transform, in tiles of 2 x 2 and of 4 x 4 results and more channels than are transformed at once.
Case random_winograd_case(Random& random) {
  Case c;
  const std::int64_t in = 4 * random.between(4, random.between(0, 3) ? 20 : 80), out = random.between(16, 150);
  c.input = {random.between(1, 2), in, random.between(4, 15), random.between(4, 15)};
  c.weight = {out, in, 3, 3};
  c.params.groups = 1;
  c.params.stride = c.params.dilation = {1, 1};
  c.params.padding = {random.between(0, 2), random.between(0, 2)};
  c.params.output_padding = {0, 0};
  c.params.padding_after = c.params.padding;
  return c;
}

Shape out_sizes(const Case& c) {
  Shape sizes = {c.input[0], c.params.transposed ? c.weight[1] * c.params.groups : c.weight[0]};
  for (std::size_t d = 0; d + 2 < c.input.size(); ++d) {
    const std::int64_t reach = c.params.dilation[d] * (c.weight[d + 2] - 1);
    sizes.push_back(c.params.transposed
                        ? (c.input[d + 2] - 1) * c.params.stride[d] - 2 * c.params.padding[d] + reach + 1 +
                              c.params.output_padding[d]
                        : (c.input[d + 2] + 2 * c.params.padding[d] - reach - 1) / c.params.stride[d] + 1);
  }
  return sizes;
}

void check_convolution(const Kernels& kernels, unsigned seed, Case (*make_case)(Random&)) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const Case c = make_case(random);
  const Shape sizes = out_sizes(c);
  SCOPED_TRACE("input " + to_string(c.input) + " weight " + to_string(c.weight) + " result " + to_string(sizes));
  const integer::Quantized input = {random.bytes(c.input), random.grid(random.real(0.01, 0.1))};
  const integer::Weight weight = {random.weights(c.weight), random.floats(sizes[1], 0.001, 0.01)};
  const Tensor bias = random.floats(sizes[1], -3, 3);
  integer::Result result;
  if (random.between(0, 3) == 0) result.dtype = DType::float32;
  // Results from a narrow to a wide share of the bytes.
  result.grid = random.grid(random.real(0.003, 0.3));
  if (result.dtype == DType::uint8 && random.between(0, 2) == 0) {
    const auto kind = random.between(0, static_cast<std::int64_t>(Activation::Kind::gelu_tanh));
    result.activation = Activation{static_cast<Activation::Kind>(kind), 0.1f, 0.7f};
  }
  if (!result.activation && random.between(0, 1))
    result.bounds = {0.0, random.between(0, 1) ? 6.0 : std::numeric_limits<double>::infinity()};
  std::optional<integer::Quantized> residual;
  const bool adds = !is_depthwise(sizes[1], c.params.groups, c.input[1] / c.params.groups);
  if (adds && result.dtype == DType::uint8 && !result.activation && random.between(0, 1))
    residual = {random.bytes(sizes), random.grid(0.02)};

  Convolution convolution;
  convolution.src = channels_last(input.values, random.between(0, 1) * 5);
  convolution.dst = channels_last(Tensor::empty(result.dtype, sizes));
  if (residual) convolution.residual = channels_last(residual->values);
  convolution.window = {Shape(c.weight.begin() + 2, c.weight.end()), c.params.stride, c.params.padding,
                        c.params.dilation};
  convolution.zero_point = static_cast<std::uint8_t>(input.grid.zero_point);
  ChannelRescale& rescale = convolution.rescale;
  for (std::int64_t o = 0; o < sizes[1]; ++o) {
    const double scale = weight.scales.data<float>()[o], b = bias.data<float>()[o];
    if (result.dtype == DType::float32 || result.activation) {
      rescale.multiplier.push_back(static_cast<float>(input.grid.scale * scale));
      rescale.offset.push_back(static_cast<float>(b));
    } else {
      rescale.multiplier.push_back(integer::product_multiplier(input.grid.scale, scale, result.grid));
      rescale.offset.push_back(residual ? integer::bias_offset(b, residual->grid, result.grid)
                                        : integer::bias_offset(b, result.grid));
    }
  }
  const bool to_float = result.dtype == DType::float32 || result.activation;
  if (result.activation)
    convolution.activation = {*result.activation, inverse_scale(result.grid.scale),
                              static_cast<float>(result.grid.zero_point), static_cast<float>(result.grid.low),
                              static_cast<float>(result.grid.high)};
  rescale.low = to_float ? static_cast<float>(result.bounds.low) : integer::low_level(result.bounds, result.grid);
  rescale.high = to_float ? static_cast<float>(result.bounds.high) : integer::high_level(result.bounds, result.grid);
  if (residual) rescale.residual_multiplier = integer::summand_multiplier(residual->grid, result.grid);
  HelperThreads threads(static_cast<int>(random.between(1, 3)));  // among which it is cut in other ways
  const ThreadScope scope(1, &threads);
  if (c.params.transposed) {
    for (const Phase& phase : phases_of(kernels, weight.values, c.params.groups, convolution.window))
      if (const Convolution part = part_of(convolution, phase); part.dst.numel() > 0)
        run(convolution_step("conv", part));
  } else {
    if (WinogradWeights::fits(kernels, weight.values, c.params.groups, convolution.window, sizes))
      convolution.winograd = std::make_shared<WinogradWeights>(kernels, weight.values);
    else
      convolution.weights = std::make_shared<PackedWeights>(kernels, weight.values, c.params.groups);
    run(convolution_step("conv", convolution));
  }
  const Tensor wanted = integer::convolution(input, weight, bias, c.params, sizes, result, residual);
  EXPECT_TRUE(bit_equal(convolution.dst.contiguous(), wanted));
}

TEST_P(Int8Kernels, ConvolutionsOfRandomShapesGiveTheBitsOfTheReference) {
  for (unsigned seed = 0; seed < 160; ++seed) {
    check_convolution(*GetParam(), seed, random_case);
    if (HasFailure()) return;
  }
}

TEST_P(Int8Kernels, DepthwiseConvolutionsWith3By3TapsGiveTheBitsOfTheReference) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    check_convolution(*GetParam(), seed, random_3x3_case);
    if (HasFailure()) return;
  }
}

TEST_P(Int8Kernels, ConvolutionsWith3By3TapsAndStride1GiveTheBitsOfTheReference) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    check_convolution(*GetParam(), seed, random_winograd_case);
    if (HasFailure()) return;
  }
}

TEST_P(Int8Kernels, TheLargestBytesAndWeightsDoNotSaturate) {
  // 255 * 127 + 255 * 127 is beyond int16, where saturating multiply-adds of pairs stop.
  const Tensor input = Tensor::full(DType::uint8, {1, 64, 1, 1}, 255);
  const Tensor weight = Tensor::full(DType::int8, {16, 64, 1, 1}, 127);
  Convolution c;
  c.src = channels_last(input);
  c.dst = channels_last(Tensor::empty(DType::float32, {1, 16, 1, 1}));
  c.weights = std::make_shared<PackedWeights>(*GetParam(), weight, 1);
  c.window = {{1, 1}, {1, 1}, {0, 0}, {1, 1}};
  const float infinity = std::numeric_limits<float>::infinity();
  c.rescale = {std::vector<float>(16, 1.0f), std::vector<float>(16, 0.0f), -infinity, infinity, 0.0f};
  run(convolution_step("conv", c));
  EXPECT_EQ(c.dst.data<float>()[0], 64.0f * 255 * 127);
}

// The sum of 9 bytes times `weight` over as many channels, at each of these extremes, in a convolution that may be transformed.
void check_extreme(const Kernels& kernels, std::int64_t channels, std::uint8_t byte, std::int8_t weight) {
  SCOPED_TRACE(std::to_string(channels) + " channels of " + std::to_string(byte) + " times " + std::to_string(weight));
  const Tensor input = Tensor::full(DType::uint8, {1, channels, 8, 8}, byte);
  const Tensor weights = Tensor::full(DType::int8, {16, channels, 3, 3}, weight);
  Convolution c;
  c.src = channels_last(input);
  c.dst = channels_last(Tensor::empty(DType::float32, {1, 16, 6, 6}));
  c.window = {{3, 3}, {1, 1}, {0, 0}, {1, 1}};
  if (WinogradWeights::fits(kernels, weights, 1, c.window, c.dst.sizes()))
    c.winograd = std::make_shared<WinogradWeights>(kernels, weights);
  else
    c.weights = std::make_shared<PackedWeights>(kernels, weights, 1);
  const float infinity = std::numeric_limits<float>::infinity();
  c.rescale = {std::vector<float>(16, 1.0f), std::vector<float>(16, 0.0f), -infinity, infinity, 0.0f};
  run(convolution_step("conv", c));
  for (std::int64_t i = 0; i < c.dst.numel(); ++i)
    ASSERT_EQ(c.dst.data<float>()[i], static_cast<float>(9 * channels * byte * weight)) << "result " << i;
}

TEST_P(Int8Kernels, TheLargestSumsOfTransformedConvolutionsDoNotOverflow) {
  // 64 times 9 * 112 * 255 * -128 just fits int32, and takes tiles of 4 x 4; with 116 channels it does not.
  for (const std::int64_t channels : {112, 116, 512})
    for (const std::int8_t weight : {std::int8_t{-128}, std::int8_t{127}})
      for (const std::uint8_t byte : {std::uint8_t{255}, std::uint8_t{1}})
        check_extreme(*GetParam(), channels, byte, weight);
}

TEST_P(Int8Kernels, PoolsGiveTheBitsOfTheReference) {
  for (unsigned seed = 0; seed < 15; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Shape sizes = {random.between(1, 2), random.between(1, 150), random.between(3, 9), random.between(3, 9)};
    const integer::Quantized a = {random.bytes(sizes), random.grid(0.03)};
    const integer::Result result = {DType::uint8, random.grid(random.real(0.02, 0.1)), {}};
    const Window window = {{2, 3}, {random.between(1, 2), 2}, {1, 1}, {1, 1}};
    const PoolParams params = {window.kernel, window.stride, window.padding, window.dilation, false};
    const Shape pooled = {sizes[0], sizes[1], sizes[2] / window.stride[0] + 1, (sizes[3] - 1) / 2 + 1};
    const Tensor largest = channels_last(Tensor::empty(DType::uint8, pooled));
    run(max_pooling_step("max", *GetParam(), {channels_last(a.values, 3), largest, window}));
    EXPECT_TRUE(bit_equal(largest.contiguous(), integer::max_pool(a, params, pooled)));

    const Tensor average = channels_last(Tensor::empty(DType::uint8, pooled));
    run(average_pooling_step("average", *GetParam(), {channels_last(a.values, 3), average, window},
                             {a.grid.zero_point, integer::average_multiplier(a.grid, 6, result.grid),
                              static_cast<float>(result.grid.zero_point), integer::low_level({}, result.grid),
                              integer::high_level({}, result.grid)}));
    EXPECT_TRUE(bit_equal(average.contiguous(), integer::average_pool(a, params, true, pooled, result)));
    if (HasFailure()) return;
  }
}

// Sizes that broadcast to `sizes`: some dimensions are 1, and some in front are missing.
Shape narrowed(const Shape& sizes, Random& random) {
  Shape result = sizes;
  for (std::int64_t& size : result)
    if (random.between(0, 1)) size = 1;
  if (random.between(0, 1)) result.erase(result.begin(), result.begin() + random.between(0, 2));
  return result;
}

TEST_P(Int8Kernels, SumsAndProductsWithBroadcastOperandsGiveTheBitsOfTheReference) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Random random(seed);
    // Stretches that are cut within rows, and rows by the hundred in a stretch.
    const bool is_wide = random.between(0, 3) == 0;
    const Shape sizes =
        is_wide ? Shape{1, random.between(1, 3), random.between(1, 3), random.between(4000, 9000)}
                : Shape{random.between(1, 2), random.between(1, 70), random.between(1, 9), random.between(1, 20)};
    const bool is_left = random.between(0, 1);
    const integer::Quantized a = {random.bytes(is_left ? narrowed(sizes, random) : sizes), random.grid(0.03)};
    const integer::Quantized b = {random.bytes(is_left ? sizes : narrowed(sizes, random)), random.grid(0.05)};
    SCOPED_TRACE("seed " + std::to_string(seed) + " " + to_string(a.values.sizes()) + " " +
                 to_string(b.values.sizes()));
    integer::Result result = {DType::uint8, random.grid(random.real(0.005, 0.1)), {}};
    if (random.between(0, 1)) result.bounds = {0.0, 2.0};
    const bool is_pixels = random.between(0, 1);
    const auto operand = [&](const Tensor& t) {
      return broadcast_to(is_pixels && t.dim() == 4 ? channels_last(t, random.between(0, 1)) : t, sizes);
    };
    const Tensor out = Tensor::empty(DType::uint8, sizes);
    const Tensor to = is_pixels ? channels_last(out) : out;
    const float low = integer::low_level(result.bounds, result.grid),
                high = integer::high_level(result.bounds, result.grid);
    HelperThreads threads(2);
    const ThreadScope scope(1, &threads);
    run(addition_step(
        "add", *GetParam(), operand(a.values), operand(b.values), to,
        {integer::summand_multiplier(a.grid, result.grid), integer::summand_multiplier(b.grid, result.grid),
         integer::addition_offset(a.grid, b.grid, result.grid), low, high}));
    ASSERT_TRUE(bit_equal(to.contiguous(), integer::add(a, b, sizes, result)));
    run(multiplication_step(
        "mul", *GetParam(), operand(a.values), operand(b.values), to,
        {a.grid.zero_point, b.grid.zero_point, integer::product_multiplier(a.grid.scale, b.grid.scale, result.grid),
         integer::bias_offset(0.0, result.grid), low, high}));
    ASSERT_TRUE(bit_equal(to.contiguous(), integer::multiply(a, b, sizes, result)));
  }
}

// [B, H, M, N] as views of other memory orders.
Tensor with_heads_inside(const Tensor& t) {
  return t.permute(std::array<std::int64_t, 4>{0, 2, 1, 3})
      .contiguous()
      .permute(std::array<std::int64_t, 4>{0, 2, 1, 3});
}
Tensor with_columns_inside(const Tensor& t) {
  return t.permute(std::array<std::int64_t, 4>{0, 1, 3, 2})
      .contiguous()
      .permute(std::array<std::int64_t, 4>{0, 1, 3, 2});
}

TensorRescale rescale_to(const integer::Result& result, double a_scale, double b_scale) {
  if (result.dtype == DType::float32)
    return {static_cast<float>(a_scale * b_scale), 0.0f, -std::numeric_limits<float>::infinity(),
            std::numeric_limits<float>::infinity()};
  return {integer::product_multiplier(a_scale, b_scale, result.grid), integer::bias_offset(0.0, result.grid),
          integer::low_level(result.bounds, result.grid), integer::high_level(result.bounds, result.grid)};
}

TEST_P(Int8Kernels, ProductsOfTwoActivationsGiveTheBitsOfTheReference) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const std::int64_t batch = random.between(1, 2), heads = random.between(1, 3), m = random.between(1, 70),
                       k = random.between(1, 40), n = random.between(1, 150);
    const integer::Quantized a = {random.bytes({batch, heads, m, k}), random.grid(0.02)};
    integer::Quantized b = {random.bytes({batch, heads, k, n}), random.grid(0.03)};
    if (random.between(0, 2) == 0) b.grid.zero_point = 128;  // no part of the row
    integer::Result result;
    if (random.between(0, 3) == 0) result.dtype = DType::float32;
    result.grid = random.grid(random.real(0.05, 0.5));
    const std::int64_t order = random.between(0, 2);
    const Tensor right = order == 0   ? b.values
                         : order == 1 ? with_columns_inside(b.values)
                                      : with_heads_inside(b.values);
    const Tensor out = Tensor::empty(result.dtype, {batch, heads, m, n});
    run(matmul_step("matmul", *GetParam(),
                    {{random.between(0, 1) ? a.values : with_heads_inside(a.values), a.grid.zero_point},
                     {right, b.grid.zero_point},
                     out,
                     rescale_to(result, a.grid.scale, b.grid.scale)}));
    ASSERT_TRUE(bit_equal(out, integer::matmul(a, b, result)));
  }
}

TEST_P(Int8Kernels, AttentionGivesTheBitsOfTheReference) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const std::int64_t batch = random.between(1, 2), heads = random.between(1, 3), m = random.between(1, 60),
                       d = random.between(1, 40), n = random.between(1, 90), f = random.between(1, 70);
    const integer::Quantized query = {random.bytes({batch, heads, m, d}), random.grid(0.02)};
    const integer::Quantized key = {random.bytes({batch, heads, d, n}), random.grid(0.02)};
    const integer::Quantized value = {random.bytes({batch, heads, n, f}), random.grid(0.03)};
    integer::Result probabilities, result;
    probabilities.grid = {1.0 / static_cast<double>(random.between(100, 300)), 0, 0, 255};
    if (random.between(0, 1)) probabilities.grid.zero_point = static_cast<std::int32_t>(random.between(0, 40));
    if (random.between(0, 3) == 0) result.dtype = DType::float32;
    result.grid = random.grid(random.real(0.005, 0.05));
    Tensor mask;
    if (random.between(0, 2) > 0) {
      mask = random.floats(batch * heads * m * n, -2, 0).reshape({batch, heads, m, n});
      for (std::int64_t i = 0; i < n / 2; ++i) mask.data<float>()[i] = -kInfinity;
      if (random.between(0, 2) == 0)  // a row that sees nothing
        for (std::int64_t i = 0; i < n; ++i) mask.data<float>()[i] = -kInfinity;
    }
    Attention attention;
    attention.query = {with_heads_inside(query.values), query.grid.zero_point};
    attention.key = {with_columns_inside(key.values), key.grid.zero_point};
    attention.value = {with_heads_inside(value.values), value.grid.zero_point};
    attention.mask = mask.defined() && random.between(0, 1) ? with_columns_inside(mask) : mask;
    attention.dst = with_heads_inside(Tensor::empty(result.dtype, {batch, heads, m, f}));
    attention.score_multiplier = static_cast<float>(query.grid.scale * 0.25 * key.grid.scale);
    const integer::Grid& p = probabilities.grid;
    attention.probabilities = {inverse_scale(p.scale), static_cast<float>(p.zero_point), static_cast<float>(p.low),
                               static_cast<float>(p.high)};
    attention.rescale = rescale_to(result, p.scale, value.grid.scale);
    run(attention_step("attention", *GetParam(), attention));
    ASSERT_TRUE(bit_equal(attention.dst.contiguous(),
                          integer::attention(query, key, value, 0.25, mask, probabilities, result)));
  }
}

TEST_P(Int8Kernels, AttentionWithASoftmaxInFloatGivesTheBitsOfTheReference) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const std::int64_t batch = random.between(1, 2), groups = random.between(1, 2),
                       heads = groups * random.between(1, 3), m = random.between(1, 60), d = random.between(1, 40),
                       n = random.between(1, 90), f = random.between(1, 70);
    const double sharpness = random.real(0.01, 0.3);  // from even weights to one key that has all
    const integer::Quantized query = {random.bytes({batch, heads, m, d}), random.grid(sharpness)};
    const integer::Quantized key = {random.bytes({batch, groups, n, d}), random.grid(0.02)};
    const integer::Quantized value = {random.bytes({batch, groups, n, f}), random.grid(0.03)};
    integer::Result result;
    if (random.between(0, 3) == 0) result.dtype = DType::float32;
    result.grid = random.grid(random.real(0.001, 0.05));
    const bool causal = random.between(0, 2) == 0;
    Tensor mask;
    if (!causal && random.between(0, 1)) {
      mask = random.floats(batch * heads * m * n, -2, 0).reshape({batch, heads, m, n});
      for (std::int64_t i = 0; i < mask.numel(); ++i)
        if (random.between(0, 3) == 0) mask.data<float>()[i] = -kInfinity;
      if (random.between(0, 1))  // a row that sees nothing
        for (std::int64_t i = 0; i < n; ++i) mask.data<float>()[i] = -kInfinity;
    }
    Attention attention;
    attention.query = {with_heads_inside(query.values), query.grid.zero_point};
    const Tensor keys = random.between(0, 1) ? with_heads_inside(key.values) : key.values;
    attention.key = {keys.permute(std::array<std::int64_t, 4>{0, 1, 3, 2}), key.grid.zero_point};
    attention.value = {with_heads_inside(value.values), value.grid.zero_point};
    attention.mask = mask.defined() && random.between(0, 1) ? with_columns_inside(mask) : mask;
    attention.dst = with_heads_inside(Tensor::empty(result.dtype, {batch, heads, m, f}));
    attention.causal = causal;
    attention.score_multiplier = static_cast<float>(query.grid.scale * 0.25 * key.grid.scale);
    attention.rescale = rescale_to(result, 1.0, value.grid.scale);
    HelperThreads threads(2);
    const ThreadScope scope(1, &threads);
    run(attention_step("attention", *GetParam(), attention));
    ASSERT_TRUE(bit_equal(attention.dst.contiguous(),
                          integer::scaled_dot_product_attention(query, key, value, 0.25, mask, causal, result)));
  }
}

TEST_P(Int8Kernels, DynamicQuantizationChoosesAndRoundsAsQuantizeDoes) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const std::int64_t n = random.between(1, 40000);
    const Tensor values = random.floats(n, random.real(-3, 1), random.real(1, 4));
    const DynamicQuantization q = {-128, 127, 1e-6f, DType::int8, random.between(0, 1) == 1};
    const Tensor bytes = Tensor::empty(DType::uint8, {n}), params = Tensor::empty(DType::float64, {2});
    run(dynamic_quantize_step("quantize", *GetParam(), values, bytes, params, q));
    const auto [low, high] = std::minmax_element(values.data<float>(), values.data<float>() + n);
    const ChosenQParams chosen = q.symmetric ? choose_symmetric_qparams(*low, *high, -128, 127, q.eps, false)
                                             : choose_affine_qparams(*low, *high, -128, 127, q.eps);
    EXPECT_EQ(params.data<double>()[0], chosen.scale);
    EXPECT_EQ(params.data<double>()[1], static_cast<double>(chosen.zero_point + 128));
    for (std::int64_t i = 0; i < n; ++i) {
      const auto wanted = quantize<std::int8_t>(static_cast<double>(values.data<float>()[i]), 1.0 / chosen.scale,
                                                static_cast<double>(chosen.zero_point), -128.0, 127.0);
      ASSERT_EQ(bytes.data<std::uint8_t>()[i], wanted + 128) << i;
    }
  }
}

TEST_P(Int8Kernels, FlippingMapsInt8ToBytesThatAre128Larger) {
  const Tensor values = Tensor::from<std::int8_t>({-128, -1, 0, 127}, {4});
  const Tensor bytes = Tensor::empty(DType::uint8, {4});
  run(flip_step("flip", *GetParam(), values, bytes));
  EXPECT_TRUE(bit_equal(bytes, Tensor::from<std::uint8_t>({0, 127, 128, 255}, {4})));
}

TEST_P(Int8Kernels, InterleavingBringsTheChannelsOfPlanesSideBySide) {
  for (const std::int64_t channels : {1, 2, 3, 4, 5, 300})
    for (const std::int64_t height : {1, 7, 113}) {
      const Tensor planes = Random(3).bytes({2, channels, height, 5});
      const Tensor pixels = channels_last(Tensor::empty(DType::uint8, planes.sizes()));
      run(interleave_step("interleave", *GetParam(), planes, pixels));
      EXPECT_TRUE(bit_equal(pixels.contiguous(), planes)) << channels << " channels, height " << height;
    }
}

INSTANTIATE_TEST_SUITE_P(All, Int8Kernels, ::testing::ValuesIn(all_kernels().begin(), all_kernels().end()),
                         [](const auto& set) { return std::string(set.param->isa); });

TEST(Int8Weights, CoversTheChannelsWithoutANarrowLastTile) {
  const Kernels& widest = *all_kernels().back();
  if (widest.gemm.size() < 4) GTEST_SKIP() << "this machine's tiles have other widths";
  const PackedWeights weights(widest, Tensor::empty(DType::int8, {144, 8}), 1);
  std::vector<std::int64_t> columns;
  for (const PackedWeights::Tile& tile : weights.tiles()) columns.push_back(tile.kernel->columns);
  EXPECT_EQ(columns, (std::vector<std::int64_t>{64, 48, 32}));
}

}  // namespace
}  // namespace qdq::runtime::int8
