// One test for each case of each .graph file beside this one. With QDQ_UPDATE_GOLDEN=1 the expectations are rewritten.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>

#include "support/golden_runner.h"

namespace qdq::test {
namespace {

class GoldenTest : public testing::Test {
 public:
  explicit GoldenTest(GoldenCase test) : test_(std::move(test)) {}
  void TestBody() override {
    std::string actual;
    const std::string wrong = run_golden_case(test_, actual);
    if (!wrong.empty()) ADD_FAILURE_AT(test_.file.c_str(), test_.line) << test_.title << "\n" << wrong;
  }

 private:
  GoldenCase test_;
};

// "removes dropout: unchanged" -> "removes_dropout_unchanged"
std::string identifier(const std::string& title) {
  std::string result;
  for (char c : title) {
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (keep)
      result += c;
    else if (!result.empty() && result.back() != '_')
      result += '_';
  }
  while (result.ends_with('_')) result.pop_back();
  return result;
}

void register_cases(const std::filesystem::path& root) {
  std::map<std::string, int> seen;
  for (const GoldenCase& test : read_golden_files(root)) {
    const std::string suite =
        "golden_" + identifier(std::filesystem::relative(test.file, root).replace_extension().string());
    std::string name = identifier(test.title);
    if (const int repeated = seen[suite + name]++) name += "_" + std::to_string(repeated);
    testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, test.file.c_str(), test.line,
                          [test]() -> testing::Test* { return new GoldenTest(test); });
  }
}

}  // namespace
}  // namespace qdq::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const std::filesystem::path root = std::filesystem::path(QDQ_TESTS_DIR) / "golden";
  try {
    if (const char* update = std::getenv("QDQ_UPDATE_GOLDEN"); update && std::string_view(update) == "1") {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
        if (entry.path().extension() == ".graph") qdq::test::update_golden_file(entry.path());
    }
    qdq::test::register_cases(root);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return RUN_ALL_TESTS();
}
