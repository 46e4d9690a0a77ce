#include "cli/samples.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "qdq/error.h"

namespace qdq::cli {
namespace {

using Readers = std::vector<std::unique_ptr<TensorReader>>;

// True when every input has an array of its name; false when none has. Anything between is a mistake.
bool matches_by_name(const std::vector<ProgramInput>& inputs, const Readers& arrays, const std::string& origin) {
  std::vector<std::string> names;
  std::vector<std::string> missing;
  for (const auto& array : arrays) names.push_back(array->name());
  for (const ProgramInput& input : inputs)
    if (std::find(names.begin(), names.end(), input.name) == names.end()) missing.push_back(input.name);
  if (missing.empty()) return true;
  if (missing.size() == inputs.size() && names.size() == inputs.size()) return false;
  throw InvalidArgumentError(
      fmt::format("{}: the program has {} input(s), the file has the array(s) {}, and none is named '{}'", origin,
                  inputs.size(), fmt::join(names, ", "), fmt::join(missing, "', '")));
}

// The arrays in the order of the inputs.
Readers arrange(const std::vector<ProgramInput>& inputs, Readers arrays, const std::string& origin) {
  if (!matches_by_name(inputs, arrays, origin)) return arrays;
  Readers arranged;
  for (const ProgramInput& input : inputs)
    arranged.push_back(std::move(*std::find_if(arrays.begin(), arrays.end(), [&](const auto& array) {
      return array != nullptr && array->name() == input.name;
    })));
  return arranged;
}

std::string expected_shape(const TensorMeta& meta) {
  std::vector<std::string> sizes;
  for (const SymInt& size : meta.sizes) sizes.push_back(size.is_symbolic() ? "*" : std::to_string(size.value));
  return fmt::format("{}[{}]", name(meta.dtype), fmt::join(sizes, ", "));
}

// How an array relates to its input.
enum class Kind {
  whole,    // given to each call as it is
  stacked,  // the first dimension counts the samples
  single,   // one sample, without a dimension for their number
};

class ArraySamples : public Samples {
 public:
  ArraySamples(const std::vector<ProgramInput>& wanted, Readers arrays, Kind kind, const std::string& origin) {
    arrays_ = arrange(wanted, std::move(arrays), origin);
    std::optional<std::int64_t> count;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      Shape sizes = arrays_[i]->sizes();
      if (kind == Kind::single) sizes.insert(sizes.begin(), 1);
      wanted[i].check(arrays_[i]->dtype(), sizes, kind == Kind::whole, origin);
      const bool has_samples = kind != Kind::whole && !sizes.empty();
      if (has_samples && count && *count != sizes[0])
        throw InvalidArgumentError(fmt::format("{}: input '{}' has {} samples, the inputs before it {}", origin,
                                               wanted[i].name, sizes[0], *count));
      if (has_samples) count = sizes[0];
      inputs_.push_back({wanted[i].dtype(arrays_[i]->dtype()), std::move(sizes), has_samples});
    }
    count_ = count.value_or(1);
  }

  std::vector<Tensor> read(std::int64_t first, std::int64_t count) override {
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      TensorReader& array = *arrays_[i];
      const bool is_part = inputs_[i].has_samples && array.sizes().size() == inputs_[i].sizes.size();
      Tensor value = is_part ? array.read(first, count) : array.read_all().reshape(inputs_[i].sizes);
      tensors.push_back(value.to(inputs_[i].dtype));
    }
    return tensors;
  }

 private:
  Readers arrays_;
};

class FileSamples : public Samples {
 public:
  FileSamples(const Program& program, std::vector<std::string> files)
      : wanted_(program_inputs(program)), files_(std::move(files)) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const Samples& part = open(i);
      if (i == 0) inputs_ = part.inputs();
      check_same(part, files_[i]);
      starts_.push_back(starts_.back() + part.count());
    }
    count_ = starts_.back();
    for (Input& input : inputs_) input.sizes[0] = count_;
  }

  std::vector<Tensor> read(std::int64_t first, std::int64_t count) override {
    std::vector<Tensor> tensors;
    for (const Input& input : inputs_) {
      Shape sizes = input.sizes;
      sizes[0] = count;
      tensors.push_back(Tensor::empty(input.dtype, std::move(sizes)));
    }
    for (std::int64_t done = 0; done < count;) {
      const std::int64_t at = first + done;
      const auto file = static_cast<std::size_t>(std::ranges::upper_bound(starts_, at) - starts_.begin() - 1);
      const std::int64_t length = std::min(count - done, starts_[file + 1] - at);
      const std::vector<Tensor> part = open(file).read(at - starts_[file], length);
      for (std::size_t i = 0; i < part.size(); ++i) tensors[i].narrow(0, done, length).copy_from(part[i]);
      done += length;
    }
    return tensors;
  }

 private:
  // The samples of one file, which stays open until another one is asked for.
  Samples& open(std::size_t file) {
    if (open_ && file == open_file_) return *open_;
    Readers arrays = open_tensors(files_[file]);
    const Kind kind = is_single(arrays) ? Kind::single : Kind::stacked;
    open_ = std::make_unique<ArraySamples>(wanted_, std::move(arrays), kind, files_[file]);
    open_file_ = file;
    return *open_;
  }

  // By the array of the first input.
  bool is_single(const Readers& arrays) const {
    if (arrays.empty() || wanted_.empty() || !wanted_[0].type) return false;
    const auto named =
        std::ranges::find_if(arrays, [&](const auto& array) { return array->name() == wanted_[0].name; });
    const TensorReader& first = **(named == arrays.end() ? arrays.begin() : named);
    return first.sizes().size() + 1 == wanted_[0].type->sizes.size();
  }

  void check_same(const Samples& part, const std::string& file) const {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Input& input = part.inputs()[i];
      const std::string& name = wanted_[i].name;
      if (!input.has_samples)
        throw InvalidArgumentError(fmt::format(
            "{}: input '{}' has no dimension for samples, so that one file must hold all data", file, name));
      if (!std::equal(input.sizes.begin() + 1, input.sizes.end(), inputs_[i].sizes.begin() + 1, inputs_[i].sizes.end()))
        throw InvalidArgumentError(fmt::format("{}: samples of input '{}' of {}, those of {} are of {}", file, name,
                                               to_string(std::span(input.sizes).subspan(1)), files_[0],
                                               to_string(std::span(inputs_[i].sizes).subspan(1))));
    }
  }

  std::vector<ProgramInput> wanted_;
  std::vector<std::string> files_;
  std::vector<std::int64_t> starts_;  // the number of each file's first sample, and that of all
  std::unique_ptr<Samples> open_;
  std::size_t open_file_ = 0;
};

}  // namespace

std::unique_ptr<Samples> array_samples(const Program& program, Readers arrays, bool whole, const std::string& origin) {
  return std::make_unique<ArraySamples>(program_inputs(program), std::move(arrays), whole ? Kind::whole : Kind::stacked,
                                        origin);
}

std::unique_ptr<Samples> file_samples(const Program& program, std::vector<std::string> files) {
  return std::make_unique<FileSamples>(program, std::move(files));
}

void ProgramInput::check(DType dtype, const Shape& sizes, bool whole, const std::string& origin) const {
  if (!type) return;
  bool fits = sizes.size() == type->sizes.size();
  for (std::size_t d = whole ? 0 : 1; fits && d < sizes.size(); ++d)
    fits = type->sizes[d].is_symbolic() || type->sizes[d].value == sizes[d];
  const bool same_kind = (is_floating_point(dtype) && is_floating_point(type->dtype)) ||
                         (is_integral(dtype) && is_integral(type->dtype)) || dtype == type->dtype;
  if (!fits || !same_kind)
    throw InvalidArgumentError(fmt::format("{}: input '{}' takes {}, found {}{}", origin, name, expected_shape(*type),
                                           qdq::name(dtype), to_string(sizes)));
}

std::vector<ProgramInput> program_inputs(const Program& program) {
  std::vector<ProgramInput> inputs;
  for (const Node* node : input_nodes(program)) {
    const TensorMeta* type = node->type.tensor();
    inputs.push_back({node->name(), type ? std::optional(*type) : std::nullopt});
  }
  return inputs;
}

std::vector<const Node*> input_nodes(const Program& program) {
  std::vector<const Node*> nodes;
  for (const InputSpec& input : program.inputs)
    if (input.kind == InputSpec::Kind::user_input) nodes.push_back(program.graph().find(input.name));
  return nodes;
}

}  // namespace qdq::cli
