#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "formats/json/json.h"
#include "formats/json/json_writer.h"

namespace qdq::json {
namespace {

std::string problem(const std::string& text) {
  try {
    Document document(std::as_bytes(std::span(text)));
    return "parsed";
  } catch (const Error& error) {
    return error.what;
  }
}

TEST(JsonReader, SaysAtWhichByteTheTextGoesWrong) {
  EXPECT_EQ(problem("[1, 2"), "JSON syntax error at byte 5: expected ',' or a closing bracket, found the end");
  EXPECT_EQ(problem("{\"a\": tru}"), "JSON syntax error at byte 6: expected a value");
  EXPECT_EQ(problem("{\"a\" 1}"), "JSON syntax error at byte 5: expected ':'");
  EXPECT_EQ(problem("{a: 1}"), "JSON syntax error at byte 1: expected a member name");
  EXPECT_EQ(problem("[1] x"), "JSON syntax error at byte 4: expected the end");
  EXPECT_EQ(problem("[\"a\nb\"]"), "JSON syntax error at byte 3: control character in a string");
  EXPECT_EQ(problem(""), "JSON syntax error at byte 0: expected a value, found the end");
  EXPECT_EQ(problem("[1.]"), "JSON syntax error at byte 3: expected a digit");
  EXPECT_EQ(problem("{\"a\": [{}, []], \"b\": \"\\u00e9\"}"), "parsed");
}

TEST(JsonReader, BoundsTheNesting) {
  EXPECT_EQ(problem(std::string(200, '[') + std::string(200, ']')), "parsed");
  EXPECT_NE(problem(std::string(1000, '[') + std::string(1000, ']')).find("nested too deeply"), std::string::npos);
}

TEST(JsonReader, SaysWhatItExpectedAndWhere) {
  const std::string text = R"({"a": [{"b": 1}, {"b": "x"}], "c": 1e400})";
  EXPECT_NE(problem(text), "parsed");
  const std::string good = R"({"a": [{"b": 1}, {"b": "x"}]})";
  const Document document(std::as_bytes(std::span(good)));
  try {
    at(object(document.root()), "a",
       [](Element list) { each(list, [](Element item) { at(object(item), "b", integer); }); });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.path, ".a[1].b");
    EXPECT_EQ(error.what, "expected a 64-bit integer, found the string 'x'");
  }
}

TEST(JsonReader, ReadsTheNumbersThatJsonLacks) {
  const std::string text = R"(["Infinity", "-Infinity", "NaN", 2])";
  const Document document(std::as_bytes(std::span(text)));
  std::vector<double> numbers;
  each(document.root(), [&](Element item) { numbers.push_back(number(item)); });
  EXPECT_EQ(numbers[0], std::numeric_limits<double>::infinity());
  EXPECT_EQ(numbers[1], -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(numbers[2] != numbers[2]);
  EXPECT_EQ(numbers[3], 2.0);
}

TEST(JsonWriter, WritesObjectsArraysAndEscapes) {
  Writer json;
  json.begin_object()
      .member(std::string_view("a\"\\\n\x01"), "é")
      .key("b")
      .begin_array()
      .integer(-1)
      .null()
      .boolean(true)
      .end();
  json.key("c").begin_object().end().key("d").raw("[0]").end();
  EXPECT_EQ(json.text(), "{\"a\\\"\\\\\\n\\u0001\":\"é\",\"b\":[-1,null,true],\"c\":{},\"d\":[0]}");
}

TEST(JsonWriter, WritesDoublesThatReadBackExactly) {
  Writer json;
  json.begin_array();
  for (double value : {1.0, -0.0, 0.1, 1e-5, 1e22, 5e-324, 1.7976931348623157e308}) json.number(value);
  json.number(std::numeric_limits<double>::infinity()).number(-std::numeric_limits<double>::infinity());
  json.number(std::numeric_limits<double>::quiet_NaN()).end();
  EXPECT_EQ(json.text(),
            "[1.0,-0.0,0.1,1e-05,1e+22,5e-324,1.7976931348623157e+308,\"Infinity\",\"-Infinity\",\"NaN\"]");
}

TEST(JsonWriter, EscapesWhereverTheCharacterStands) {
  const std::vector<std::pair<char, std::string>> escaped = {
      {'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {'\x01', "\\u0001"}, {'\x1f', "\\u001f"}};
  for (const auto& [c, text] : escaped)
    for (std::size_t size = 1; size < 20; ++size)  // words of 8 bytes and what is left over
      for (std::size_t at = 0; at < size; ++at) {
        std::string value(size, 'a');
        value[at] = c;
        json::Writer writer;
        writer.string(value);
        EXPECT_EQ(writer.text(), "\"" + std::string(at, 'a') + text + std::string(size - at - 1, 'a') + "\"");
      }
}

TEST(JsonWriter, GrowsByWhatTheEscapesTake) {
  std::string expected = "[";
  Writer json;
  json.begin_array();
  for (std::size_t length : {0u, 1u, 7u, 8u, 9u, 255u, 5000u}) {
    json.string(std::string(length, '\x02'));
    if (length > 0) expected += ',';
    expected += '"';
    for (std::size_t i = 0; i < length; ++i) expected += "\\u0002";
    expected += '"';
  }
  json.integer(std::numeric_limits<std::int64_t>::min()).end();
  EXPECT_EQ(json.text(), expected + ",-9223372036854775808]");
}

TEST(JsonWriter, TakesOverTheTextOfAnotherWriter) {
  Writer json;
  json.begin_array().raw(std::move(Writer().integer(1)));
  Writer large;
  large.string(std::string(5000, 'a'));
  json.raw(std::move(large)).integer(2).end();
  EXPECT_EQ(json.text(), "[1,\"" + std::string(5000, 'a') + "\",2]");
}

TEST(JsonWriter, HandsOnTheTextThatItWouldKeep) {
  const auto write = [](Writer& json) {
    json.begin_array();
    for (int i = 0; i < 20000; ++i)
      json.begin_object().member("number", std::int64_t{i}).key(std::string_view("\n")).null().end();
    json.string(std::string(300000, 'a') + '"').raw(std::move(Writer().string(std::string(200000, 'b'))));
    json.end();
  };
  Writer kept;
  write(kept);
  std::vector<std::string> pieces;
  Writer json(TextBuffer([&](std::span<const std::byte> piece) {
    pieces.emplace_back(reinterpret_cast<const char*>(piece.data()), piece.size());
  }));
  write(json);
  EXPECT_GT(pieces.size(), 4u);
  json.take().flush();
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  EXPECT_EQ(text, kept.text());
}

TEST(JsonWriter, LeavesOtherCharactersAlone) {
  std::string value = "\x20!#[]^\x7f\x80\xff";  // the neighbours of those that are escaped, and UTF-8's range
  value += value;
  json::Writer writer;
  writer.string(value);
  EXPECT_EQ(writer.text(), "\"" + value + "\"");
}

}  // namespace
}  // namespace qdq::json
