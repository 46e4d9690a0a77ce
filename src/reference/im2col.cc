#include "reference/eval.h"

namespace qdq {
namespace {

// The sliding windows of an image, as im2col and col2im (nn.Unfold and nn.Fold) see them: columns
// [N, C * kernel height * kernel width, windows] beside images [N, C, height, width].
struct Windows {
  Shape kernel, dilation, padding, stride;
  std::int64_t per_row;  // windows beside each other

  // Where element (i, j) of a window lies in the image along dimension d: row for 0, column for 1. May lie in the
  // padding.
  std::int64_t at(std::size_t d, std::int64_t window, std::int64_t element) const {
    const std::int64_t place = d == 0 ? window / per_row : window % per_row;
    return place * stride[d] - padding[d] + element * dilation[d];
  }
};

// Calls fn(column element, image element), offsets in contiguous tensors, for each pair that is not in the padding.
template <typename Fn>
void for_each_pair(const Call& call, const Shape& columns, const Shape& image, Fn fn) {
  Windows windows{call.ints("kernel_size", 2), call.ints("dilation", 2), call.ints("padding", 2),
                  call.ints("stride", 2), 1};
  const std::int64_t height = image[image.size() - 2];
  const std::int64_t width = image.back();
  windows.per_row =
      (width + 2 * windows.padding[1] - windows.dilation[1] * (windows.kernel[1] - 1) - 1) / windows.stride[1] + 1;
  const std::int64_t elements = windows.kernel[0] * windows.kernel[1];
  const std::int64_t count = columns.back();
  for (std::int64_t row = 0; row < numel(columns) / count; ++row) {  // batch, channel and element of the window in one
    const std::int64_t element = row % elements;
    for (std::int64_t window = 0; window < count; ++window) {
      const std::int64_t y = windows.at(0, window, element / windows.kernel[1]);
      const std::int64_t x = windows.at(1, window, element % windows.kernel[1]);
      if (y >= 0 && y < height && x >= 0 && x < width)
        fn(row * count + window, (row / elements * height + y) * width + x);
    }
  }
}

std::vector<Value> eval_im2col(const Call& call) {
  const Tensor self = call.tensor("self").contiguous();
  const Tensor out = Tensor::empty(self.dtype(), call.schema().infer(call).front().tensor()->sizes());
  const auto bytes = static_cast<std::int64_t>(element_size(self.dtype()));
  for_each_pair(call, out.sizes(), self.sizes(), [&](std::int64_t column, std::int64_t image) {
    std::memcpy(out.raw_data() + column * bytes, self.raw_data() + image * bytes, static_cast<std::size_t>(bytes));
  });
  return {out};
}

// Elements that several windows hold are added up.
std::vector<Value> eval_col2im(const Call& call) {
  const Tensor& self = call.tensor("self");
  const Tensor columns = contiguous_as<double>(self);
  const Tensor out = Tensor::empty(DType::float64, call.schema().infer(call).front().tensor()->sizes());
  for_each_pair(call, columns.sizes(), out.sizes(), [&](std::int64_t column, std::int64_t image) {
    out.data<double>()[image] += columns.data<double>()[column];
  });
  return {out.to(self.dtype())};
}

constexpr KernelRow kRows[] = {
    {"aten.im2col.default", eval_im2col},
    {"aten.col2im.default", eval_col2im},
};

}  // namespace

KernelFamily im2col_kernels() { return kRows; }

}  // namespace qdq
