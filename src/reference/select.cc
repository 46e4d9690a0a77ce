// Ops whose results are as long as their data say, and sums over bags of embeddings.
#include <algorithm>
#include <cmath>

#include "ops/promotion.h"
#include "reference/eval.h"

namespace qdq {
namespace {

std::vector<Value> eval_nonzero(const Call& call) {
  const Tensor flags = call.tensor("self").to(DType::bool_);
  std::vector<std::int64_t> found;
  std::int64_t count = 0;
  for_each_index(flags.sizes(), [&](const Shape& index) {
    if (!flags.data<bool>()[offset_of(flags, index)]) return;
    found.insert(found.end(), index.begin(), index.end());
    ++count;
  });
  return {Tensor::from(std::span<const std::int64_t>(found), {count, flags.dim()})};
}

std::vector<Value> eval_masked_select(const Call& call) {
  const Tensor& given = call.tensor("self");
  if (call.tensor("mask").dtype() != DType::bool_) call.fail("the mask must be of dtype bool");
  const Shape sizes = broadcast(call, given.sizes(), call.tensor("mask").sizes());
  const Tensor self = expand(call, given, sizes).contiguous();
  const Tensor mask = expand(call, call.tensor("mask"), sizes).contiguous();
  const bool* chosen = mask.data<bool>();
  const Tensor out = Tensor::empty(self.dtype(), {std::count(chosen, chosen + mask.numel(), true)});
  const std::size_t width = element_size(self.dtype());
  std::byte* to = out.raw_data();
  for (std::int64_t i = 0; i < mask.numel(); ++i) {
    if (!chosen[i]) continue;
    std::memcpy(to, self.raw_data() + static_cast<std::size_t>(i) * width, width);
    to += width;
  }
  return {out};
}

// Classes are counted from the largest one seen when num_classes is -1.
std::vector<Value> eval_one_hot(const Call& call) {
  const Tensor self = contiguous_as<std::int64_t>(call.tensor("self"));
  const std::span<const std::int64_t> classes(self.data<std::int64_t>(), static_cast<std::size_t>(self.numel()));
  std::int64_t count = call.integer("num_classes");
  if (count == -1 && classes.empty()) call.fail("num_classes cannot be read from an empty tensor");
  if (count == -1) count = *std::max_element(classes.begin(), classes.end()) + 1;
  Shape sizes = self.sizes();
  sizes.push_back(count);
  const Tensor out = Tensor::empty(DType::int64, sizes);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] < 0 || classes[i] >= count)
      call.fail("class " + std::to_string(classes[i]) + " is not one of " + std::to_string(count));
    out.data<std::int64_t>()[static_cast<std::int64_t>(i) * count + classes[i]] = 1;
  }
  return {out};
}

// repeats: one count for all entries along `dim`, or one for each.
std::vector<Value> eval_repeat_interleave(const Call& call) {
  const bool flat = !call.has("dim");
  const Tensor self = flat || call.tensor("self").dim() == 0 ? call.tensor("self").reshape({-1}) : call.tensor("self");
  const std::int64_t d = flat ? 0 : call.dim("dim", self.dim());
  const Tensor repeats = contiguous_as<std::int64_t>(call.tensor("repeats"));
  if (repeats.dim() > 1 || (repeats.numel() != 1 && repeats.numel() != self.size(d)))
    call.fail("repeats of sizes " + to_string(repeats.sizes()) + " for a dimension of size " +
              std::to_string(self.size(d)));
  std::vector<std::int64_t> sources;
  for (std::int64_t i = 0; i < self.size(d); ++i) {
    const std::int64_t count = repeats.data<std::int64_t>()[repeats.numel() == 1 ? 0 : i];
    if (count < 0) call.fail("repeats must not be negative");
    sources.insert(sources.end(), static_cast<std::size_t>(count), i);
  }
  Shape sizes = self.sizes();
  sizes[static_cast<std::size_t>(d)] = static_cast<std::int64_t>(sources.size());
  const Tensor out = Tensor::empty(self.dtype(), sizes);
  for (std::size_t i = 0; i < sources.size(); ++i)
    out.narrow(d, static_cast<std::int64_t>(i), 1).copy_from(self.narrow(d, sources[i], 1));
  return {out};
}

enum class BagMode : std::int64_t { sum, mean, max };

// Bags of rows of `weight`: bag b holds indices[offsets[b]] up to indices[offsets[b + 1]], without those equal to
// padding_idx. An empty bag gives zeros. The other three results serve training and are None here.
std::vector<Value> eval_embedding_bag(const Call& call) {
  const Tensor& given = call.tensor("weight");
  const Tensor indices = contiguous_as<std::int64_t>(call.tensor("indices"));
  const Tensor offsets = contiguous_as<std::int64_t>(call.tensor("offsets"));
  const std::int64_t mode_code = call.integer("mode");
  if (mode_code < 0 || mode_code > 2) call.fail("no such mode");
  const BagMode mode{mode_code};
  if (call.has("per_sample_weights") && mode != BagMode::sum) call.fail("weights of samples go with mode 'sum' only");
  const Shape sizes = call.schema().infer(call).front().tensor()->sizes();
  const std::int64_t bags = sizes[0];
  const std::int64_t width = sizes[1];
  std::int64_t padding = call.has("padding_idx") ? call.integer("padding_idx") : -1;
  if (call.schema().find_arg("padding_idx")->type == "int?" && call.has("padding_idx") && padding < 0)
    padding += given.size(0);
  const Tensor weight = contiguous_as<double>(given);
  const Tensor factors =
      call.has("per_sample_weights") ? contiguous_as<double>(call.tensor("per_sample_weights")) : Tensor();
  const Tensor out = Tensor::empty(DType::float64, sizes);
  for (std::int64_t b = 0; b < bags; ++b) {
    const std::int64_t begin = offsets.data<std::int64_t>()[b];
    const std::int64_t end = b + 1 < offsets.numel() ? offsets.data<std::int64_t>()[b + 1] : indices.numel();
    if (begin < 0 || begin > end || end > indices.numel()) call.fail("offsets must ascend and lie inside the indices");
    double* to = out.data<double>() + b * width;
    std::int64_t count = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = indices.data<std::int64_t>()[i];
      if (row < 0 || row >= weight.size(0))
        call.fail("index " + std::to_string(row) + " is not a row of " + std::to_string(weight.size(0)));
      if (row == padding) continue;
      const double factor = factors.defined() ? factors.data<double>()[i] : 1;
      for (std::int64_t k = 0; k < width; ++k) {
        const double value = weight.data<double>()[row * width + k];
        if (mode == BagMode::max)
          to[k] = count == 0 || value != value || value > to[k] ? value : to[k];
        else
          to[k] += factor * value;
      }
      ++count;
    }
    if (mode == BagMode::mean && count > 0)
      for (std::int64_t k = 0; k < width; ++k) to[k] /= static_cast<double>(count);
  }
  return {out.to(given.dtype()), Value(), Value(), Value()};
}

constexpr KernelRow kRows[] = {
    {"aten.nonzero.default", eval_nonzero},
    {"aten.masked_select.default", eval_masked_select},
    {"aten.one_hot.default", eval_one_hot},
    {"aten.repeat_interleave.self_Tensor", eval_repeat_interleave},
    {"aten.embedding_bag.padding_idx", eval_embedding_bag},
    {"aten._embedding_bag.default", eval_embedding_bag},
};

}  // namespace

KernelFamily select_kernels() { return kRows; }

}  // namespace qdq
