// Every kernel on buffers that end where a page begins that may not be touched.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <deque>
#include <vector>

#include "runtime/kernels/int8/int8_kernels.h"

namespace qdq::runtime::int8 {
namespace {

class Guarded {
 public:
  explicit Guarded(std::size_t bytes) : pages_((bytes + kPage - 1) / kPage * kPage) {
    memory_ = static_cast<std::byte*>(
        mmap(nullptr, pages_ + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + pages_, kPage, PROT_NONE);
    std::memset(memory_, 1, pages_);
    begin_ = memory_ + pages_ - bytes;
  }
  ~Guarded() { munmap(memory_, pages_ + kPage); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  std::byte* begin() const { return begin_; }

 private:
  static constexpr std::size_t kPage = 4096;
  std::size_t pages_;
  std::byte* memory_;
  std::byte* begin_;
};

class KernelMemory : public ::testing::TestWithParam<const Kernels*> {
 protected:
  template <typename T>
  T* guarded(std::int64_t count) {
    return reinterpret_cast<T*>(buffers_.emplace_back(static_cast<std::size_t>(count) * sizeof(T)).begin());
  }
  void release() { buffers_.clear(); }
  const Rescale& rescale() const { return rescale_; }
  const std::int32_t* start() const { return start_.data(); }

 private:
  std::deque<Guarded> buffers_;
  std::vector<float> numbers_ = std::vector<float>(256, 0.001F);
  std::vector<std::int32_t> start_ = std::vector<std::int32_t>(256, 0);
  Rescale rescale_ = {numbers_.data(), numbers_.data(), 0, 255, 1};
};

TEST_P(KernelMemory, ProductsStayInTheirBuffers) {
  for (const GemmKernel& kernel : GetParam()->gemm)
    for (std::int64_t count = 1; count <= kernel.rows; ++count)
      for (const std::int64_t depth : {4, 12, 20, 260, 516})
        for (const std::int64_t used : {std::int64_t{1}, std::int64_t{8}, kernel.columns - 3, kernel.columns})
          for (const bool to_float : {false, true}) {
            constexpr std::int64_t kTaps = 2;
            std::vector<const std::uint8_t*> rows;
            for (std::int64_t i = 0; i < count * kTaps; ++i) rows.push_back(guarded<std::uint8_t>(depth));
            GemmTile tile = {};
            tile.rows = rows.data();
            tile.count = count;
            tile.row_stride = tile.taps = kTaps;
            tile.depth = depth;
            tile.weights = guarded<std::int8_t>(kTaps * depth * kernel.columns);
            tile.start = start();
            tile.rescale = rescale();
            tile.out_stride = tile.used_columns = used;
            tile.to_float = to_float;
            tile.out = guarded<std::uint8_t>(count * used * (to_float ? 4 : 1));
            tile.residual = to_float ? nullptr : guarded<std::uint8_t>(count * used);
            kernel.run(tile);
            release();
          }
}

TEST_P(KernelMemory, DepthwiseConvolutionsStayInTheirBuffers) {
  const DepthwiseKernel& kernel = *GetParam()->depthwise;
  for (const std::int64_t channels : {1, 15, 16, 17, 48, 70})
    for (const std::int64_t pixels : {1, 2, 3, 9})
      for (const bool slides : {true, false})
        for (const std::int64_t quads : {1, 3}) {
          const std::int64_t lanes = (channels + kernel.block - 1) / kernel.block * kernel.block;
          std::vector<const std::uint8_t*> taps;
          DepthwiseRun run = {};
          run.step = channels * (slides ? 1 : 2);
          for (std::int64_t q = 0; q < quads; ++q) {
            const std::uint8_t* row = guarded<std::uint8_t>((pixels - 1) * run.step + 3 * channels);
            for (std::int64_t x = 0; x < 3; ++x) taps.push_back(row + x * channels);
          }
          run.taps = taps.data();
          run.pixels = pixels;
          run.quads = quads;
          run.width = 3;
          run.slides = slides;
          run.channels = channels;
          run.weights = guarded<std::int8_t>(lanes * quads * 4);
          run.start = start();
          run.rescale = rescale();
          run.out = guarded<std::uint8_t>(pixels * channels);
          run.out_stride = channels;
          kernel.run(run);
          release();
        }
}

TEST_P(KernelMemory, WinogradsTransformsStayInTheirBuffers) {
  const WinogradKernel* kernel = GetParam()->winograd;
  if (!kernel) GTEST_SKIP() << "this set has no such kernel";
  const std::int64_t columns = kernel->columns;
  for (const WinogradTile& tile : kernel->tiles)
    for (const std::int64_t channels : {16, 20, 36, 64})
      for (const std::int64_t used : {1, 8, 15, 16}) {
        const std::int64_t size = tile.results + 2;
        std::vector<const std::uint8_t*> pixels;
        for (std::int64_t i = 0; i < size * size; ++i) pixels.push_back(guarded<std::uint8_t>(channels));
        tile.transform(guarded<std::int16_t>(size * size * channels), channels, pixels.data(), channels);
        for (std::int64_t row = 0; row < size; ++row)
          tile.transform_filters(guarded<std::int16_t>(size * columns * channels), columns * channels,
                                 guarded<std::int8_t>(9 * columns * channels), channels / 2, row);
        std::vector<void*> out;
        std::vector<const std::uint8_t*> residual;
        for (std::int64_t i = 0; i < tile.results * tile.results; ++i) {
          out.push_back(guarded<std::uint8_t>(used));
          residual.push_back(guarded<std::uint8_t>(used));
        }
        WinogradResults results = {};
        results.sums = guarded<std::int32_t>(size * size * columns);
        results.stride = columns;
        results.start = start();
        results.rescale = rescale();
        results.out = out.data();
        results.residual = residual.data();
        results.used_columns = used;
        tile.finish(results);
        release();
      }
}

TEST_P(KernelMemory, WinogradsProductsStayInTheirBuffers) {
  const WinogradKernel* kernel = GetParam()->winograd;
  if (!kernel) GTEST_SKIP() << "this set has no such kernel";
  for (const std::int64_t depth : {4, 20, 64})
    for (const std::int64_t rows : {1, 5, 7, 13})
      for (const bool adds : {false, true}) {
        WinogradProduct product = {};
        product.sums = guarded<std::int32_t>(rows * kernel->columns);
        product.words = guarded<std::int16_t>(rows * depth);
        product.words_stride = product.depth = depth;
        product.weights = guarded<std::int16_t>(kernel->columns * depth);
        product.rows = rows;
        product.adds = adds;
        kernel->multiply(product);
        release();
      }
}

INSTANTIATE_TEST_SUITE_P(All, KernelMemory, ::testing::ValuesIn(all_kernels().begin(), all_kernels().end()),
                         [](const auto& set) { return std::string(set.param->isa); });

}  // namespace
}  // namespace qdq::runtime::int8
