#pragma once
#include <simdjson.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace qdq::json {

using Element = simdjson::dom::element;
using Object = simdjson::dom::object;
using Array = simdjson::dom::array;

// What is wrong in a document, and where: `path` grows from the inside out while the exception passes the readers of
// the enclosing values (see within()). Whoever knows the file turns it into a FormatError.
struct Error {
  std::string path;  // ".graph.nodes[12]"
  std::string what;
};

// A document of at most `kMaxDepth` levels. Elements live as long as the Document.
class Document {
 public:
  static constexpr std::size_t kMaxDepth = 256;
  // Throws Error whose message has the byte offset of the first syntax error. The text is copied unless enough bytes behind
  // it can be read as well.
  explicit Document(std::span<const std::byte> text, std::size_t readable_behind = 0);
  Element root() const { return root_; }

 private:
  simdjson::dom::parser parser_;
  Element root_;
};

// Typed access. Everything throws Error that says what was expected and what was found.
Object object(Element element);
Array array(Element element);
std::string_view string(Element element);
std::int64_t integer(Element element);
double number(Element element);  // ints convert; torch writes "Infinity", "-Infinity" and "NaN" as strings
bool boolean(Element element);
Element field(Object object, std::string_view name);                // Error when absent
std::optional<Element> find(Object object, std::string_view name);  // nothing when absent or null
// An object of one member: how torch writes unions.
std::pair<std::string_view, Element> single(Element element);
[[noreturn]] void fail(std::string what);
std::string describe(Element element);  // "an object", "the string 'abc'": for messages

std::string member(std::string_view name);  // ".name" for paths
std::string item(std::size_t index);        // "[3]"

// Runs fn(); an Error that leaves it gets `segment()` in front of its path.
template <typename Segment, typename Fn>
decltype(auto) within(Segment&& segment, Fn&& fn) {
  try {
    return fn();
  } catch (Error& error) {
    error.path.insert(0, segment());
    throw;
  }
}

// fn(element) of a member, or of each item of an array, with the path kept for errors.
template <typename Fn>
decltype(auto) at(Object object, std::string_view name, Fn&& fn) {
  return within([&] { return member(name); }, [&]() -> decltype(auto) { return fn(field(object, name)); });
}
template <typename Fn>
void each(Element element, Fn&& fn) {
  std::size_t index = 0;
  for (Element child : array(element)) {
    within([&] { return item(index); }, [&] { fn(child); });
    ++index;
  }
}

}  // namespace qdq::json
