#include <cmath>
#include <unordered_map>

#include "formats/json/json_writer.h"
#include "graph/module_path.h"
#include "qdq/explain.h"
#include "qdq/report.h"
#include "report/page.h"

namespace qdq {
namespace {

using Bounds = std::optional<std::pair<double, double>>;

// JSON that can stand inside a <script> element: nothing in it can end that element or open a comment.
std::string script_safe(std::string_view json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      safe += "\\u003c";  // '<' only occurs inside of strings
    else
      safe += c;
  }
  return safe;
}

std::string html_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

// "model.py:12 in forward": what describe() says behind the op.
std::string source_of(const Node& node) {
  const std::string description = node.describe();
  const auto at = description.find(") at ");
  return at == std::string::npos ? std::string() : description.substr(at + 5);
}

class Data {
 public:
  explicit Data(const ReportContents& contents) : contents_(contents) {
    for (const NodeAccuracy& node : contents.nodes) accuracy_.emplace(node.nodes.other, &node);
  }

  std::string write() {
    json_.begin_object().member("title", contents_.title);
    write_summary();
    write_outputs();
    json_.key("ops").begin_array();
    for (const ExplainedOp& op : ops_) write_op(op);
    json_.end().key("observed").begin_object();
    for (const ObservedTensor& tensor : contents_.observed) write_observed(tensor);
    json_.end().end();
    return json_.text();
  }

 private:
  void write_summary() {
    const QuantizationSummary summary = summarize_quantization(contents_.quantized);
    json_.key("summary").begin_object();
    json_.member("quantized", summary.quantized()).member("in_float", summary.in_float());
    json_.member("float_bytes", bytes_of(contents_.reference)).member("quantized_bytes", bytes_of(contents_.quantized));
    json_.end();
  }

  static std::int64_t bytes_of(const Program& program) {
    std::int64_t bytes = 0;
    for (const Attribute& attribute : program.attributes)
      if (attribute.value.defined())
        bytes += attribute.value.numel() * static_cast<std::int64_t>(element_size(attribute.value.dtype()));
    return bytes;
  }

  void write_outputs() {
    json_.key("outputs").begin_array();
    for (const OutputAccuracy& output : contents_.outputs) {
      json_.begin_object().member("name", output.name);
      write_error(output.error);
      json_.key("same_argmax");
      number_or_null(output.same_argmax);
      json_.end();
    }
    json_.end();
  }

  void write_op(const ExplainedOp& op) {
    const Node& node = *op.node;
    json_.begin_object().member("name", node.name()).member("op", node.target());
    json_.member("module", innermost_module_path(node)).member("source", source_of(node));
    json_.member("quantized", op.quantized).member("rule", op.rule).member("why_not", op.why_not);
    write_tensors("inputs", op.inputs);
    write_tensors("outputs", op.outputs);
    const auto found = accuracy_.find(node.name());
    if (found != accuracy_.end() && found->second->total.count() > 0) {
      json_.key("total").begin_object();
      write_error(found->second->total);
      json_.end();
      if (found->second->own) {
        json_.key("own").begin_object();
        write_error(*found->second->own);
        json_.end();
      }
    }
    json_.end();
  }

  // The members of an error. Without any error the SQNR is infinite: null.
  void write_error(const ErrorStats& error) {
    json_.key("sqnr_db");
    number_or_null(error.sqnr_db());
    json_.key("max_abs").number(error.max_abs()).key("mse").number(error.mse());
  }

  void write_tensors(std::string_view key, const std::vector<QuantizedTensor>& tensors) {
    json_.key(key).begin_array();
    for (const QuantizedTensor& tensor : tensors) {
      json_.begin_object().member("name", tensor.name).member("dtype", name(tensor.dtype));
      json_.member("scheme", tensor.scheme).member("dynamic", tensor.is_dynamic).member("observer", tensor.observer);
      write_extent("scale", tensor.scale);
      write_extent("zero_point", tensor.zero_point);
      json_.member("channels", static_cast<std::int64_t>(tensor.scale.size()));
      write_bounds("range", tensor.range());
      write_bounds("seen", tensor.observed);
      json_.end();
    }
    json_.end();
  }

  // The least and the greatest of several numbers, as a pair; null for none.
  void write_extent(std::string_view key, const std::vector<double>& numbers) {
    if (numbers.empty()) return write_bounds(key, {});
    const auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
    write_bounds(key, std::pair(*low, *high));
  }

  void write_bounds(std::string_view key, const Bounds& bounds) {
    json_.key(key);
    if (!bounds) {
      json_.null();
      return;
    }
    json_.begin_array();
    number_or_null(bounds->first);
    number_or_null(bounds->second);
    json_.end();
  }

  void write_observed(const ObservedTensor& tensor) {
    json_.key(tensor.name).begin_object().member("observer", tensor.observer);
    json_.key("min").number(tensor.min).key("max").number(tensor.max).key("share").begin_array();
    for (const double share : tensor.share) json_.number(std::round(share * 1e6) / 1e6);
    json_.end().end();
  }

  void number_or_null(const std::optional<double>& value) {
    if (value && std::isfinite(*value))
      json_.number(*value);
    else
      json_.null();
  }

  const ReportContents& contents_;
  const std::vector<ExplainedOp> ops_ = explain(contents_.quantized);
  std::unordered_map<std::string_view, const NodeAccuracy*> accuracy_;
  json::Writer json_;
};

}  // namespace

std::string html_report(const ReportContents& contents) {
  const std::string data = script_safe(Data(contents).write());
  const std::string title = html_escaped(contents.title);
  const std::pair<std::string_view, std::string_view> parts[] = {
      {"{{css}}", report::kCss}, {"{{js}}", report::kJs}, {"{{title}}", title}, {"{{data}}", data}};
  std::string page;
  std::string_view rest = report::kHtml;
  while (!rest.empty()) {
    const auto at = rest.find("{{");
    page += rest.substr(0, at);
    if (at == std::string_view::npos) break;
    rest.remove_prefix(at);
    for (const auto& [mark, text] : parts)
      if (rest.starts_with(mark)) {
        page += text;
        rest.remove_prefix(mark.size());
        break;
      }
  }
  return page;
}

}  // namespace qdq
