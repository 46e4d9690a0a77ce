#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "qdq/graph_text.h"
#include "qdq/io.h"

namespace qdq {
namespace {

class TextFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("qdq_text_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string load_error(const std::string& text) {
    std::ofstream(folder_ / "bad.graph") << text;
    try {
      load(folder_ / "bad.graph");
    } catch (const FormatError& error) {
      const std::string message = error.what();
      return message.substr(message.find("bad.graph"));
    }
    return "no error";
  }

  std::filesystem::path folder_;
};

TEST_F(TextFiles, LoadWhatWasSaved) {
  Program program = parse_program(
      "attribute @w: parameter f32[2] = [1.0, 2.5]\n"
      "graph(x: f32[s0:3, 2]) {\n"
      "  %w: f32[2] = get_attr @w\n"
      "  %y: f32[s0:3, 2] = aten.mul.Tensor(%x, %w)\n    @stack_trace \"here\"\n"
      "  return (%y) }");
  Tensor table = Tensor::empty(DType::int8, {100});
  for (int i = 0; i < 100; ++i) table.data<std::int8_t>()[i] = static_cast<std::int8_t>(i - 50);
  program.attributes.add({"table", AttributeKind::buffer, table, true, false, ""});
  save(program, folder_ / "a.graph");
  std::string difference;
  EXPECT_TRUE(equal(program, load(folder_ / "a.graph"), &difference)) << difference;
}

TEST_F(TextFiles, ErrorsNameFileLineAndColumn) {
  EXPECT_EQ(load_error("graph(x) {\n  %y = f(%z)\n}"), "bad.graph:2:10: no node named 'z' before this one");
}

TEST_F(TextFiles, WhatParsesButCannotBeIsTheFilesFault) {
  EXPECT_EQ(load_error("graph() { %w = get_attr @w return (%w) }"),
            "bad.graph: [verify after loading] 'w' (w): the program has no attribute of this name");
}

}  // namespace
}  // namespace qdq
