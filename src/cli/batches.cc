#include "cli/batches.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "cli/report.h"
#include "qdq/statistics.h"

namespace qdq::cli {
namespace {

constexpr std::int64_t kDefaultBatch = 8;
constexpr std::int64_t kProbes = 64;  // samples that tell one data set from another

// The batch size that the program's inputs insist on: all their first dimensions are this number.
std::optional<std::int64_t> fixed_batch(const std::vector<const Node*>& inputs) {
  std::set<std::int64_t> sizes;
  for (const Node* input : inputs)
    if (const TensorMeta* meta = input->type.tensor();
        meta != nullptr && !meta->sizes.empty() && !meta->sizes[0].is_symbolic())
      sizes.insert(meta->sizes[0].value);
  return sizes.size() == 1 ? std::optional(*sizes.begin()) : std::nullopt;
}

// The op behind the dequantize and quantize nodes that a quantized program ends in, so that its outputs have the names of
// the float program's.
const Node* behind_qdq(const Node* node) {
  while (node != nullptr && node->target().starts_with("quantized_decomposed.") && node->input(0) != nullptr)
    node = node->input(0);
  return node;
}

}  // namespace

std::vector<std::string> output_names(const Program& program) {
  std::vector<std::string> names;
  const Node* output = program.graph().output_node();
  if (output == nullptr) return names;
  const Argument::List* results = output->arg(0).list();
  for (std::size_t i = 0; results != nullptr && i < program.outputs.size(); ++i) {
    if (program.outputs[i].kind != OutputSpec::Kind::user_output) continue;
    const Node* node = behind_qdq((*results)[i].node());
    std::string name = node != nullptr ? node->name() : fmt::format("output_{}", names.size());
    // The same node may be returned twice; the names in a file may not.
    if (std::find(names.begin(), names.end(), name) != names.end()) name += fmt::format("_{}", names.size());
    names.push_back(std::move(name));
  }
  return names;
}

Batches::Batches(const Program& program, std::unique_ptr<Samples> samples, std::optional<std::int64_t> batch_size,
                 Remainder remainder)
    : source_(std::move(samples)), samples_(source_->count()), remainder_(remainder) {
  const std::optional<std::int64_t> fixed = fixed_batch(input_nodes(program));
  batch_size_ = batch_size.value_or(fixed.value_or(kDefaultBatch));
  fixed_ = fixed.has_value();
  if (fixed && !whole() && *fixed != batch_size_)
    throw InvalidArgumentError(
        fmt::format("the program was exported for batches of {}, not of {}", *fixed, batch_size_));
}

void Batches::limit(std::int64_t samples) {
  if (!whole()) samples_ = std::min(samples_, samples);
}

std::int64_t Batches::count() const {
  if (whole()) return 1;
  const bool drop = fixed_ && remainder_ == Remainder::drop;
  return drop ? samples_ / batch_size_ : (samples_ + batch_size_ - 1) / batch_size_;
}

std::int64_t Batches::samples_in(std::int64_t index) const {
  return whole() ? samples_ : std::min(batch_size_, samples_ - index * batch_size_);
}

std::int64_t Batches::dropped() const {
  return !whole() && fixed_ && remainder_ == Remainder::drop ? samples_ % batch_size_ : 0;
}

std::vector<Tensor> Batches::batch(std::int64_t index) const {
  const std::int64_t length = samples_in(index);
  std::vector<Tensor> inputs = source_->read(whole() ? 0 : index * batch_size_, length);
  if (whole() || !fixed_ || length == batch_size_) return inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!source_->inputs()[i].has_samples) continue;
    const Tensor part = inputs[i];
    Shape sizes = part.sizes();
    sizes[0] = batch_size_;
    inputs[i] = Tensor::empty(part.dtype(), sizes);
    inputs[i].narrow(0, 0, length).copy_from(part);
    for (std::int64_t k = length; k < batch_size_; ++k)
      inputs[i].narrow(0, k, 1).copy_from(part.narrow(0, length - 1, 1));
  }
  return inputs;
}

std::string Batches::identity() const {
  const std::vector<Samples::Input>& described = source_->inputs();
  Json inputs = Json::array();
  for (const Samples::Input& input : described)
    inputs.push_back({{"dtype", std::string(name(input.dtype))}, {"shape", input.sizes}});
  // Input by input, so that the hash is that of the probes of each input after the other.
  std::vector<std::vector<Tensor>> probes(described.size());
  const std::int64_t count = whole() ? 1 : std::min(kProbes, samples_);
  for (std::int64_t k = 0; k < count; ++k) {
    std::vector<Tensor> sample = source_->read(whole() ? 0 : k * samples_ / count, 1);
    for (std::size_t i = 0; i < sample.size(); ++i)
      if (described[i].has_samples || k == 0) probes[i].push_back(std::move(sample[i]));
  }
  std::vector<Tensor> flat;
  for (std::vector<Tensor>& of_input : probes) std::ranges::move(of_input, std::back_inserter(flat));
  return Json{{"inputs", inputs}, {"samples", samples_}, {"probes", fingerprint(flat)}}.dump();
}

Collector::Collector(const Program& program, std::int64_t samples, bool whole) : samples_(samples), whole_(whole) {
  for (std::string& name : output_names(program)) arrays_.push_back({std::move(name), Tensor()});
}

void Collector::add(const std::vector<Tensor>& results, std::int64_t samples) {
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    auto& [name, array] = arrays_[i];
    const Tensor& result = results[i];
    if (whole_) {
      array = result.clone();  // the executor may use its memory again
      continue;
    }
    if (result.dim() == 0 || result.size(0) < samples)
      throw InvalidArgumentError(
          fmt::format("output '{}' is {}: its first dimension does not count the samples; use --batch 0", name,
                      to_string(result.sizes())));
    if (!array.defined()) {
      Shape sizes = result.sizes();
      sizes[0] = samples_;
      array = Tensor::empty(result.dtype(), sizes);
    }
    array.narrow(0, done_, samples).copy_from(result.narrow(0, 0, samples));
  }
  done_ += samples;
}

}  // namespace qdq::cli
