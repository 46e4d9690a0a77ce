#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace qdq::test {

// One case of a golden file:
//
//     // pass: remove-identity                    the first line of the file
//
//     // removes dropout in eval mode             a title after a blank line
//     graph(x) { ... }                            before
//     // =>
//     graph(x) { ... }                            after
//
//     // no match when dropout trains: unchanged, "drops values while training"
//     graph(x) { ... }                            the pass changes nothing and notes this reason
//
//     // refuses a cycle: error, "part of the message"
//     graph(x) { ... }                            the pass throws
//
// ": unchanged" may stand without a reason. Header lines (attribute, range, input ...) may precede a graph.
struct GoldenCase {
  enum class Kind { changes, unchanged, error };
  std::filesystem::path file;
  int line = 0;  // of the title
  std::string pass;
  std::string title;  // as written
  Kind kind = Kind::changes;
  std::string message;  // the reason or the part of the error
  std::string before;
  std::string after;
  // Where `after` stands in the file, for update mode.
  std::size_t after_begin = 0;
  std::size_t after_end = 0;
};

// Throws std::runtime_error, with file and line, when the file is not of the form above.
std::vector<GoldenCase> read_golden_file(const std::filesystem::path& file);

// Every case of every .graph file below `root`, by path.
std::vector<GoldenCase> read_golden_files(const std::filesystem::path& root);

// Runs the pass. Empty when the case holds, else what is wrong. `actual` receives the program that came out.
std::string run_golden_case(const GoldenCase& test, std::string& actual);

// Writes what the passes give now into the file, for the cases of kind `changes`.
void update_golden_file(const std::filesystem::path& file);

}  // namespace qdq::test
