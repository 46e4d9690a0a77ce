#include "support/golden_runner.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "graph/verify.h"
#include "qdq/graph_text.h"
#include "qdq/pass_manager.h"
#include "qdq/quantizer.h"

namespace qdq::test {
namespace {

constexpr std::string_view kPassLine = "// pass: ";
constexpr std::string_view kArrow = "// =>";

std::string read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error(file.string() + ": cannot be opened");
  return {std::istreambuf_iterator<char>(stream), {}};
}

struct Line {
  std::string_view text;
  std::size_t begin;
  int number;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back({text.substr(begin, end - begin), begin, static_cast<int>(lines.size()) + 1});
    begin = end + 1;
  }
  return lines;
}

// Splits ": unchanged, "reason"" off the title.
void read_expectation(GoldenCase& test) {
  const auto take = [&](std::string_view mark, GoldenCase::Kind kind) {
    const auto at = test.title.rfind(mark);
    if (at == std::string::npos) return;
    test.kind = kind;
    const auto open = test.title.find('"', at);
    const auto close = test.title.rfind('"');
    if (open < close) test.message = test.title.substr(open + 1, close - open - 1);
  };
  take(": unchanged", GoldenCase::Kind::unchanged);
  take(": error", GoldenCase::Kind::error);
}

// Golden graphs say with the metadata line `@annotated "..."` that a quantizer annotated a node.
void annotate_from_metadata(Graph& graph) {
  for (Node& node : graph.nodes())
    if (node.meta.find("annotated")) annotation_of(node).output_qspec = QuantizationSpec{};
}

std::string where(const GoldenCase& test) { return test.file.filename().string() + ":" + std::to_string(test.line); }

}  // namespace

std::vector<GoldenCase> read_golden_file(const std::filesystem::path& file) {
  const std::string text = read(file);
  const auto lines = lines_of(text);
  const auto fail = [&](const Line& line, const std::string& what) {
    throw std::runtime_error(file.string() + ":" + std::to_string(line.number) + ": " + what);
  };
  if (lines.empty() || !lines[0].text.starts_with(kPassLine))
    throw std::runtime_error(file.string() + ":1: expected '// pass: NAME'");
  const std::string pass(lines[0].text.substr(kPassLine.size()));
  std::vector<GoldenCase> cases;
  bool after_blank = false;
  std::string* section = nullptr;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const Line& line = lines[i];
    if (line.text.starts_with(kArrow)) {
      if (cases.empty() || section != &cases.back().before) fail(line, "'// =>' without a graph before it");
      section = &cases.back().after;
      cases.back().after_begin = cases.back().after_end = line.begin + line.text.size() + 1;
    } else if (after_blank && line.text.starts_with("// ")) {
      GoldenCase& test = cases.emplace_back();
      test.file = file;
      test.line = line.number;
      test.pass = pass;
      test.title = line.text.substr(3);
      read_expectation(test);
      section = nullptr;
    } else if (!line.text.empty()) {
      if (cases.empty()) fail(line, "expected a blank line and '// title' before the first graph");
      if (!section) section = &cases.back().before;
      (*section += line.text) += '\n';
      if (section == &cases.back().after)
        cases.back().after_end = std::min(line.begin + line.text.size() + 1, text.size());
    }
    after_blank = line.text.empty();
  }
  for (const GoldenCase& test : cases) {
    if (test.before.empty()) throw std::runtime_error(where(test) + ": no graph");
    if ((test.kind == GoldenCase::Kind::changes) != (test.after_begin != 0))
      throw std::runtime_error(where(test) +
                               ": expected '// =>' with a graph, or ': unchanged' or ': error' in the title");
  }
  return cases;
}

std::vector<GoldenCase> read_golden_files(const std::filesystem::path& root) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
    if (entry.path().extension() == ".graph") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<GoldenCase> all;
  for (const auto& file : files) {
    auto cases = read_golden_file(file);
    std::move(cases.begin(), cases.end(), std::back_inserter(all));
  }
  return all;
}

std::string run_golden_case(const GoldenCase& test, std::string& actual) {
  const TextOptions options = TextOptions::with_attributes();
  const NamedPass* pass = find_pass(test.pass);
  if (!pass) return "no pass is called '" + test.pass + "'";
  try {
    Program program = parse_program(test.before, where(test));
    annotate_from_metadata(program.graph());
    const std::string before = to_text(program, options);
    const int changed = pass->run(program);
    actual = to_text(program, options);
    verify(program, test.pass);
    if (test.kind == GoldenCase::Kind::error)
      return "expected an error, the pass made " + std::to_string(changed) + " changes";
    if (test.kind == GoldenCase::Kind::changes) {
      if (changed == 0) return "the pass says that it changed nothing";
      const std::string expected = to_text(parse_program(test.after, where(test) + " =>"), options);
      return actual == expected ? "" : "expected\n" + expected + "found\n" + actual;
    }
    if (changed != 0 || actual != before) return "expected no change, found " + std::to_string(changed) + "\n" + actual;
    if (test.message.empty()) return "";
    std::string reasons;
    bool found = false;
    walk_subgraphs(program.graph(), [&](const Graph& graph) {
      for (const Graph::Note& note : graph.notes()) {
        found |= note.reason == test.message;
        reasons += "\n  " + note.node + ": " + note.reason;
      }
    });
    if (found) return "";
    return "expected the reason \"" + test.message + "\", found" + (reasons.empty() ? " none" : reasons);
  } catch (const Error& error) {
    const std::string message = error.what();
    if (test.kind == GoldenCase::Kind::error && message.find(test.message) != std::string::npos) return "";
    return "unexpected error: " + message;
  }
}

void update_golden_file(const std::filesystem::path& file) {
  std::string text = read(file);
  const auto cases = read_golden_file(file);
  for (auto test = cases.rbegin(); test != cases.rend(); ++test) {  // backwards: offsets before stay right
    std::string actual;
    run_golden_case(*test, actual);
    if (test->kind == GoldenCase::Kind::changes && !actual.empty())
      text.replace(test->after_begin, test->after_end - test->after_begin, actual);
  }
  std::ofstream(file, std::ios::binary) << text;
}

}  // namespace qdq::test
