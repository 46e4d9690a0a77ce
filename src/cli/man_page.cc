#include "cli/man_page.h"

#include <fmt/format.h>

#include "qdq/version.h"

namespace qdq::cli {
namespace {

// Text of one or more lines as roff: minus signs that can be copied, no line that looks like a request.
std::string roff(const std::string& text) {
  std::string result;
  bool line_starts = true;
  for (const char c : text) {
    if (line_starts && (c == '.' || c == '\'')) result += "\\&";
    line_starts = c == '\n';
    if (c == '\\')
      result += "\\e";
    else if (c == '-')
      result += "\\-";
    else if (c == '\'')
      result += "\\(aq";
    else if (c == '~')
      result += "\\(ti";
    else if (c == '^')
      result += "\\(ha";
    else if (c == '`')
      result += "\\(ga";
    else
      result += c;
  }
  return result;
}

std::string option_entry(const OptionLine& option) {
  std::string names;
  for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + ("\\fB" + roff(name) + "\\fR");
  if (!option.value.empty()) names += " \\fI" + roff(option.value) + "\\fR";
  return ".TP\n" + names + "\n" + roff(option.description) + "\n";
}

std::string preformatted(const std::string& text) {
  return ".PP\n.nf\n" + roff(text) + (text.ends_with('\n') ? "" : "\n") + ".fi\n";
}

std::string command_section(const CommandLine& command) {
  std::string text = ".SS " + roff(command.usage) + "\n" + roff(command.description) + "\n";
  for (const OptionLine& positional : command.positionals) text += option_entry(positional);
  for (const OptionLine& option : command.options) text += option_entry(option);
  return text + preformatted(command.footer);
}

}  // namespace

std::string man_page(const ProgramLine& program) {
  std::string brief = program.description;
  if (brief.ends_with('.')) brief.pop_back();
  std::string text = ".TH QDQ 1 \"\" \"qdq " QDQ_VERSION "\" \"User Commands\"\n";
  text += ".SH NAME\nqdq \\- " + roff(brief) + "\n";
  text += ".SH SYNOPSIS\n.B qdq\n.I COMMAND\n.RI [ OPTIONS ]\n";
  text += ".SH OPTIONS\n";
  for (const OptionLine& option : program.options) text += option_entry(option);
  text += ".SH COMMANDS\n";
  for (const CommandLine& command : program.commands) text += command_section(command);
  text +=
      ".SH EXIT STATUS\n.TP\n0\nok\n.TP\n1\nfailed\n.TP\n2\nwrong usage\n.TP\n3\na file is damaged or of a kind that "
      "is not "
      "read\n.TP\n4\nan op has no kernel\n.TP\n5\na bug in qdq\n";
  text += ".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nTurns bold titles off, whatever its value, if it is not empty.\n";
  return text;
}

}  // namespace qdq::cli
