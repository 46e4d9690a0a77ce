#pragma once
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace qdq::cli {

// What the program accepts, as its CLI11 definitions say it: for shell completions and the manual page.
struct OptionLine {
  std::vector<std::string> names;       // "-o", "--output"; empty for a positional argument
  std::string value;                    // "OUT.pt2"; "" for a flag
  std::string description;              // of one line
  std::vector<std::string> values;      // that it may be completed to
  std::vector<std::string> extensions;  // of the files that it names: "pt2"
  bool repeats = false;                 // may be given several times
};

struct CommandLine {
  std::string name;
  std::string description;
  std::string usage;  // "qdq quantize MODEL.pt2 --output OUT.pt2 [OPTIONS]"
  std::string footer;
  std::vector<OptionLine> options;
  std::vector<OptionLine> positionals;
};

struct ProgramLine : CommandLine {
  std::vector<CommandLine> commands;
};

ProgramLine command_line_of(const CLI::App& app);

}  // namespace qdq::cli
