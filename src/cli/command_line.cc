#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <map>

#include "cli/help_format.h"
#include "cli/known_values.h"

namespace qdq::cli {
namespace {

// A value called "MODEL.pt2" is a file with that extension; these are named without one because there are several.
std::vector<std::string> extensions_of(const std::string& value) {
  static const std::map<std::string, std::vector<std::string>> several = {
      {"DATA", {"npy", "npz", "safetensors"}}, {"FILE", {"npy", "npz", "safetensors"}},
      {"MODEL", {"pt2", "onnx", "graph"}},     {"OTHER", {"pt2", "onnx", "graph"}},
      {"REFERENCE", {"pt2", "onnx", "graph"}}, {"OUT", {"pt2", "onnx", "graph"}}};
  if (const auto found = several.find(value); found != several.end()) return found->second;
  const std::size_t dot = value.find('.');
  return dot == std::string::npos ? std::vector<std::string>() : std::vector{value.substr(dot + 1)};
}

OptionLine option_line(const CLI::Option& option) {
  OptionLine line;
  for (const std::string& name : option.get_snames()) line.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) line.names.push_back("--" + name);
  if (option.get_type_size() != 0) line.value = type_of(&option);
  line.description = option.get_description();
  line.values = known_values(option);
  line.extensions = extensions_of(line.value);
  line.repeats = option.get_expected_max() > 1;
  return line;
}

void fill(const CLI::App& app, const std::string& name, CommandLine& line) {
  line.name = app.get_name();
  line.description = app.get_description();
  line.usage = usage_of(&app, name);
  line.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options())
    (option->get_positional() ? line.positionals : line.options).push_back(option_line(*option));
}

}  // namespace

ProgramLine command_line_of(const CLI::App& app) {
  ProgramLine program;
  fill(app, app.get_name(), program);
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    fill(*command, app.get_name() + " " + command->get_name(), program.commands.emplace_back());
  return program;
}

}  // namespace qdq::cli
