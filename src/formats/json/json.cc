#include "formats/json/json.h"

#include <cmath>
#include <limits>

#include "formats/json/syntax_check.h"

namespace qdq::json {

Document::Document(std::span<const std::byte> text, std::size_t readable_behind) {
  const auto* bytes = reinterpret_cast<const char*>(text.data());
  if (text.size() >= simdjson::SIMDJSON_MAXSIZE_BYTES)
    fail("a JSON text of " + std::to_string(text.size()) + " bytes is too long");
  simdjson::error_code error = parser_.allocate(text.size(), kMaxDepth);
  if (!error) error = parser_.parse(bytes, text.size(), readable_behind < simdjson::SIMDJSON_PADDING).get(root_);
  if (!error) return;
  if (error == simdjson::MEMALLOC) throw std::bad_alloc();
  const SyntaxProblem problem = find_syntax_problem({bytes, text.size()}, kMaxDepth);
  fail("JSON syntax error at byte " + std::to_string(problem.offset) + ": " + std::string(problem.what));
}

void fail(std::string what) { throw Error{"", std::move(what)}; }

std::string describe(Element element) {
  switch (element.type()) {
    case simdjson::dom::element_type::OBJECT: return "an object";
    case simdjson::dom::element_type::ARRAY: return "an array";
    case simdjson::dom::element_type::STRING: {
      std::string_view text = element.get_string().value_unsafe();
      return "the string '" + std::string(text.substr(0, 60)) + (text.size() > 60 ? "...'" : "'");
    }
    default: return simdjson::minify(element);
  }
}

namespace {

template <typename T>
T typed(Element element, const char* expected) {
  T value;
  if (element.get(value)) fail(std::string("expected ") + expected + ", found " + describe(element));
  return value;
}

}  // namespace

Object object(Element element) { return typed<Object>(element, "an object"); }
Array array(Element element) { return typed<Array>(element, "an array"); }
std::string_view string(Element element) { return typed<std::string_view>(element, "a string"); }
std::int64_t integer(Element element) {
  if (!element.is_int64()) fail("expected a 64-bit integer, found " + describe(element));
  return typed<std::int64_t>(element, "a 64-bit integer");
}
bool boolean(Element element) { return typed<bool>(element, "true or false"); }

double number(Element element) {
  if (element.is_string()) {
    const std::string_view text = string(element);
    if (text == "Infinity") return std::numeric_limits<double>::infinity();
    if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  }
  return typed<double>(element, "a number");
}

std::optional<Element> find(Object object, std::string_view name) {
  Element value;
  if (object.at_key(name).get(value) || value.is_null()) return std::nullopt;
  return value;
}

Element field(Object object, std::string_view name) {
  Element value;
  if (object.at_key(name).get(value)) fail("expected a member '" + std::string(name) + "'");
  return value;
}

std::pair<std::string_view, Element> single(Element element) {
  const Object members = object(element);
  if (members.size() != 1) fail("expected an object of one member, found " + std::to_string(members.size()));
  const auto first = *members.begin();
  return {first.key, first.value};
}

std::string member(std::string_view name) { return "." + std::string(name); }
std::string item(std::size_t index) { return "[" + std::to_string(index) + "]"; }

}  // namespace qdq::json
