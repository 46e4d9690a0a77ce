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

const Tensor& array_of(const Arrays& arrays, const std::string& input, std::size_t position, bool by_name) {
  if (!by_name) return arrays[position].value;
  return std::find_if(arrays.begin(), arrays.end(), [&](const auto& a) { return a.name == input; })->value;
}

// True when every input has an array of its name; false when none has. Anything between is a mistake.
bool matches_by_name(const std::vector<const Node*>& inputs, const Arrays& arrays, const std::string& origin) {
  std::vector<std::string> names;
  std::vector<std::string> missing;
  for (const auto& [name, tensor] : arrays) names.push_back(name);
  for (const Node* input : inputs)
    if (std::find(names.begin(), names.end(), input->name()) == names.end()) missing.push_back(input->name());
  if (missing.empty()) return true;
  if (missing.size() == inputs.size() && names.size() == inputs.size()) return false;
  throw InvalidArgumentError(
      fmt::format("{}: the program has {} input(s), the file has the array(s) {}, and none is named '{}'", origin,
                  inputs.size(), fmt::join(names, ", "), fmt::join(missing, "', '")));
}

std::string expected_shape(const TensorMeta& meta) {
  std::vector<std::string> sizes;
  for (const SymInt& size : meta.sizes) sizes.push_back(size.is_symbolic() ? "*" : std::to_string(size.value));
  return fmt::format("{}[{}]", name(meta.dtype), fmt::join(sizes, ", "));
}

// The tensor in the input's dtype. Numbers change their width without being asked, but never their kind: an image in
// uint8 given to a float network has not been normalised.
Tensor fit(const Node& input, const Tensor& value, bool whole, const std::string& origin) {
  const TensorMeta* meta = input.type.tensor();
  if (meta == nullptr) return value;
  bool fits = static_cast<std::size_t>(value.dim()) == meta->sizes.size();
  for (std::size_t d = whole ? 0 : 1; fits && d < meta->sizes.size(); ++d)
    fits = meta->sizes[d].is_symbolic() || meta->sizes[d].value == value.sizes()[d];
  const bool same_kind = (is_floating_point(value.dtype()) && is_floating_point(meta->dtype)) ||
                         (is_integral(value.dtype()) && is_integral(meta->dtype)) || value.dtype() == meta->dtype;
  if (!fits || !same_kind)
    throw InvalidArgumentError(fmt::format("{}: input '{}' takes {}, found {}{}", origin, input.name(),
                                           expected_shape(*meta), name(value.dtype()), to_string(value.sizes())));
  return value.to(meta->dtype);
}

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

std::vector<const Node*> input_nodes(const Program& program) {
  std::vector<const Node*> nodes;
  for (const InputSpec& input : program.inputs)
    if (input.kind == InputSpec::Kind::user_input) nodes.push_back(program.graph().find(input.name));
  return nodes;
}

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

Batches::Batches(const Program& program, const Arrays& arrays, std::optional<std::int64_t> batch_size,
                 Remainder remainder, const std::string& origin)
    : remainder_(remainder) {
  const std::vector<const Node*> inputs = input_nodes(program);
  const bool by_name = matches_by_name(inputs, arrays, origin);
  const std::optional<std::int64_t> fixed = fixed_batch(inputs);
  batch_size_ = batch_size.value_or(fixed.value_or(kDefaultBatch));
  fixed_ = fixed.has_value();
  if (fixed && !whole() && *fixed != batch_size_)
    throw InvalidArgumentError(
        fmt::format("the program was exported for batches of {}, not of {}", *fixed, batch_size_));

  std::optional<std::int64_t> samples;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Tensor value = fit(*inputs[i], array_of(arrays, inputs[i]->name(), i, by_name), whole(), origin);
    if (!whole() && value.dim() > 0) {
      if (samples && *samples != value.size(0))
        throw InvalidArgumentError(fmt::format("{}: input '{}' has {} samples, the inputs before it {}", origin,
                                               inputs[i]->name(), value.size(0), *samples));
      samples = value.size(0);
    }
    inputs_.push_back(std::move(value));
  }
  samples_ = samples.value_or(1);
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
  std::vector<Tensor> result;
  const std::int64_t length = samples_in(index);
  for (const Tensor& input : inputs_) {
    if (whole() || input.dim() == 0) {
      result.push_back(input);
      continue;
    }
    const Tensor part = input.narrow(0, index * batch_size_, length);
    if (!fixed_ || length == batch_size_) {
      result.push_back(part.contiguous());
      continue;
    }
    Shape sizes = part.sizes();
    sizes[0] = batch_size_;
    const Tensor padded = Tensor::empty(part.dtype(), sizes);
    padded.narrow(0, 0, length).copy_from(part);
    for (std::int64_t i = length; i < batch_size_; ++i) padded.narrow(0, i, 1).copy_from(part.narrow(0, length - 1, 1));
    result.push_back(padded);
  }
  return result;
}

std::string Batches::identity() const {
  std::vector<Tensor> probes;
  Json inputs = Json::array();
  for (const Tensor& input : inputs_) {
    inputs.push_back({{"dtype", std::string(name(input.dtype()))}, {"shape", input.sizes()}});
    if (whole() || input.dim() == 0) {
      probes.push_back(input);
      continue;
    }
    const std::int64_t count = std::min(kProbes, samples_);
    for (std::int64_t i = 0; i < count; ++i) probes.push_back(input.narrow(0, i * samples_ / count, 1));
  }
  return Json{{"inputs", inputs}, {"samples", samples_}, {"probes", fingerprint(probes)}}.dump();
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
