// Drives observers from another process, for tests that compare them with torchao's. Reads commands from stdin, one per
// line, and answers each with one line:
//
//   new KIND [option=value ...]     a fresh observer ("new HistogramObserver dtype=int8 bins=256")
//   observe DTYPE SIZES [DIMS]      a contiguous tensor ("observe float32 2,3"), its bytes follow the line; with DIMS the
//                                   observer sees it permuted
//   state                           every buffer, "name dtype sizes hex" each
//   qparams                         scale and zero_point, in the same form
//   range                           quant_min quant_max
//   block_size                      of an affine observer, as a tensor
//   kernels                         the sets that this processor runs
//
// "error MESSAGE" answers a command that threw.
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "observers/kernels.h"
#include "qdq/error.h"
#include "qdq/observer.h"

namespace qdq {
namespace {

std::vector<std::int64_t> parse_ints(const std::string& text) {
  std::vector<std::int64_t> result;
  std::stringstream stream(text);
  for (std::string item; std::getline(stream, item, ',');) result.push_back(std::stoll(item));
  return result;
}

DType parse_dtype(const std::string& text) {
  const auto dtype = dtype_from_name(text);
  if (!dtype) throw InvalidArgumentError("no dtype is called '" + text + "'");
  return *dtype;
}

// The one of `values` that is called so.
template <typename Enum>
Enum named(const std::string& text, std::initializer_list<Enum> values) {
  for (const Enum value : values)
    if (name(value) == text) return value;
  throw InvalidArgumentError("'" + text + "' is none of the names");
}

void set_option(ObserverOptions& options, const std::string& key, const std::string& value) {
  if (key == "dtype")
    options.dtype = parse_dtype(value);
  else if (key == "quant_min")
    options.quant_min = std::stoll(value);
  else if (key == "quant_max")
    options.quant_max = std::stoll(value);
  else if (key == "ch_axis")
    options.ch_axis = std::stoll(value);
  else if (key == "is_dynamic")
    options.is_dynamic = value == "1";
  else if (key == "reduce_range")
    options.reduce_range = value == "1";
  else if (key == "eps")
    options.eps = std::stod(value);
  else if (key == "averaging_constant")
    options.averaging_constant = std::stod(value);
  else if (key == "bins")
    options.bins = std::stoll(value);
  else if (key == "scale")
    options.scale = std::stod(value);
  else if (key == "zero_point")
    options.zero_point = std::stoll(value);
  else if (key == "percentile")
    options.percentile = std::stod(value);
  else if (key == "granularity")
    options.granularity = granularity_from_text(value);
  else if (key == "mapping_type")
    options.mapping_type =
        named(value, {MappingType::symmetric, MappingType::symmetric_no_clipping_err, MappingType::asymmetric});
  else if (key == "zero_point_domain")
    options.zero_point_domain =
        named(value, {ZeroPointDomain::integer, ZeroPointDomain::floating, ZeroPointDomain::none});
  else if (key == "preserve_zero")
    options.preserve_zero = value == "1";
  else if (key == "scale_dtype")
    options.scale_dtype = parse_dtype(value);
  else if (key == "zero_point_dtype")
    options.zero_point_dtype = parse_dtype(value);
  else if (key == "qscheme")
    options.qscheme =
        named(value, {QScheme::per_tensor_affine, QScheme::per_tensor_symmetric, QScheme::per_channel_affine,
                      QScheme::per_channel_symmetric, QScheme::per_channel_affine_float_qparams});
  else
    throw InvalidArgumentError("no option is called '" + key + "'");
}

std::string describe(const std::string& label, const Tensor& tensor) {
  std::string text = label + " " + std::string(name(tensor.dtype())) + " [";
  for (std::int64_t size : tensor.sizes()) text += std::to_string(size) + ",";
  text += "] ";
  const auto* bytes = reinterpret_cast<const unsigned char*>(tensor.raw_data());
  for (std::size_t i = 0; i < tensor.nbytes(); ++i) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned>(bytes[i]));
    text += digits;
  }
  return text + " ";
}

std::string answer(std::istringstream command, std::shared_ptr<Observer>& observer) {
  std::string verb, word;
  command >> verb;
  if (verb == "new") {
    observer = nullptr;
    std::string kind;
    command >> kind;
    ObserverOptions options;
    while (command >> word) set_option(options, word.substr(0, word.find('=')), word.substr(word.find('=') + 1));
    observer = observer_by_name(kind)(options);
    return "ok";
  }
  if (verb == "kernels") {
    for (const ObserverKernels* kernels : available_observer_kernels()) word += std::string(kernels->name) + " ";
    return word;
  }
  if (verb == "observe") {
    std::string dtype, sizes, dims;
    command >> dtype >> sizes >> dims;
    Tensor value = Tensor::empty(parse_dtype(dtype), parse_ints(sizes == "-" ? "" : sizes));
    std::cin.read(reinterpret_cast<char*>(value.raw_data()), static_cast<std::streamsize>(value.nbytes()));
    if (!dims.empty()) value = value.permute(parse_ints(dims));
    if (observer) observer->observe(value);
    return "ok";
  }
  if (!observer) throw InvalidArgumentError("no observer");
  if (verb == "range") return std::to_string(observer->quant_min()) + " " + std::to_string(observer->quant_max());
  if (verb == "block_size") {
    const Shape block = observer->affine()->block_size.value();
    return describe("block_size", Tensor::from<std::int64_t>(block, {static_cast<std::int64_t>(block.size())}));
  }
  if (verb == "state") {
    for (const auto& [label, buffer] : observer->save_state().buffers) word += describe(label, buffer);
    return word;
  }
  if (verb == "qparams") {
    const QParams qparams = observer->calculate_qparams();
    const std::string zero_point = qparams.zero_point.defined() ? describe("zero_point", qparams.zero_point) : "";
    return describe("scale", qparams.scale) + zero_point;
  }
  throw InvalidArgumentError("no command is called '" + verb + "'");
}

}  // namespace
}  // namespace qdq

int main() {
  std::ios::sync_with_stdio(false);
  std::shared_ptr<qdq::Observer> observer;
  for (std::string line; std::getline(std::cin, line);) {
    try {
      std::cout << qdq::answer(std::istringstream(line), observer) << std::endl;
    } catch (const std::exception& error) {
      std::cout << "error " << error.what() << std::endl;
    }
  }
}
