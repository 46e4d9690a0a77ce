#include "cli/completion_scripts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace qdq::cli {
namespace {

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// In single quotes, for bash and zsh.
std::string shell_quoted(const std::string& text) { return "'" + replace_all(text, "'", "'\\''") + "'"; }

// "Runs passes": what stands before the first full stop or colon that ends a clause.
std::string brief(const std::string& description) {
  return description.substr(0, std::min({description.find(". "), description.find(": "),
                                         description.ends_with('.') ? description.size() - 1 : description.size()}));
}

bool takes_value(const OptionLine& option) { return !option.value.empty(); }

// ---------------------------------------------------------------------------------------------------------- bash

std::string bash_words(const OptionLine& option) {
  if (!option.values.empty()) return fmt::format("_qdq_words {}", fmt::join(option.values, " "));
  if (!option.extensions.empty()) return fmt::format("_qdq_files {}", fmt::join(option.extensions, " "));
  return ":";
}

std::string bash_case(const CommandLine& command) {
  std::string text = fmt::format("    {})\n      case $option in\n", command.name);
  std::vector<std::string> names;
  for (const OptionLine& option : command.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (takes_value(option))
      text += fmt::format("        {}) {}; return ;;\n", fmt::join(option.names, "|"), bash_words(option));
  }
  text += "      esac\n";
  text += fmt::format("      if [[ $word == -* ]]; then _qdq_words {}\n", fmt::join(names, " "));
  // Positional arguments of one command are all of one kind.
  if (!command.positionals.empty()) text += fmt::format("      else {}\n", bash_words(command.positionals[0]));
  return text + "      fi ;;\n";
}

constexpr const char* kBashHead = R"(# Completions of qdq for bash, made by 'qdq completions bash'.

_qdq_words() {
  mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "$*" -- "$word")
}

# Files with one of the extensions, and folders.
_qdq_files() {
  local extension
  mapfile -t COMPREPLY < <(compgen -d -- "$word")
  for extension; do
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -X "!*.$extension" -- "$word")
  done
  compopt -o filenames 2> /dev/null
}

_qdq() {
  local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} command= i
  COMPREPLY=()
  # bash takes --option=value apart.
  if [[ $word == = ]]; then
    word=
  elif [[ $option == = ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} != -* ]]; then
      command=${COMP_WORDS[i]}
      break
    fi
  done
  case $command in
)";

// ----------------------------------------------------------------------------------------------------------- zsh

// Inside of _arguments' "[...]", and between its colons.
std::string zsh_escaped(std::string text) {
  for (const char* special : {"\\", "[", "]", ":"}) text = replace_all(text, special, std::string("\\") + special);
  return text;
}

std::string zsh_value(const OptionLine& option) {
  if (!option.values.empty()) return fmt::format(":{}:({})", zsh_escaped(option.value), fmt::join(option.values, " "));
  if (option.extensions.empty()) return fmt::format(":{}: ", zsh_escaped(option.value));
  return fmt::format(":{}:_files -g \"*.({})(-.)\"", zsh_escaped(option.value), fmt::join(option.extensions, "|"));
}

std::string zsh_arguments(const std::vector<OptionLine>& options) {
  std::string text;
  for (const OptionLine& option : options)
    for (const std::string& name : option.names) {
      const std::string once = option.repeats ? "*" : fmt::format("({})", fmt::join(option.names, " "));
      const char* joined = !takes_value(option) ? "" : name.starts_with("--") ? "=" : "+";
      text += fmt::format("        {} \\\n",
                          shell_quoted(once + name + joined + "[" + zsh_escaped(brief(option.description)) + "]" +
                                       (takes_value(option) ? zsh_value(option) : "")));
    }
  return text;
}

// ---------------------------------------------------------------------------------------------------------- fish

std::string fish_quoted(const std::string& text) {
  return "'" + replace_all(replace_all(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string fish_value(const OptionLine& option) {
  if (!option.values.empty())
    return fmt::format(" -xa {}", fish_quoted(fmt::format("{}", fmt::join(option.values, " "))));
  if (!option.extensions.empty()) return fmt::format(" -xa '(__qdq_files {})'", fmt::join(option.extensions, " "));
  return " -x";
}

std::string fish_option(const std::string& condition, const OptionLine& option) {
  std::string line = "complete -c qdq -n " + condition;
  for (const std::string& name : option.names)
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (takes_value(option)) line += fish_value(option);
  return line + " -d " + fish_quoted(brief(option.description)) + "\n";
}

constexpr const char* kFishHead = R"(# Completions of qdq for fish, made by 'qdq completions fish'.

# Files with one of the extensions, and folders.
function __qdq_files
  set -l word (string replace -r -- '^--[^=]*=' '' (commandline -ct))
  for path in $word*
    if test -d $path
      echo $path/
    else
      for extension in $argv
        string match -q -- "*.$extension" $path; and echo $path
      end
    end
  end
end

complete -c qdq -f
)";

}  // namespace

std::string bash_completions(const ProgramLine& program) {
  std::string text = kBashHead;
  for (const CommandLine& command : program.commands) text += bash_case(command);
  std::vector<std::string> words;
  for (const CommandLine& command : program.commands) words.push_back(command.name);
  for (const OptionLine& option : program.options) words.insert(words.end(), option.names.begin(), option.names.end());
  return text + fmt::format("    '') _qdq_words {} ;;\n  esac\n}}\n\ncomplete -F _qdq qdq\n", fmt::join(words, " "));
}

std::string zsh_completions(const ProgramLine& program) {
  std::string text =
      "#compdef qdq\n# Completions of qdq for zsh, made by 'qdq completions zsh'.\n\n"
      "local state line\nlocal -A opt_args\nlocal -a commands\ncommands=(\n";
  for (const CommandLine& command : program.commands)
    text += "  " + shell_quoted(command.name + ":" + brief(command.description)) + "\n";
  text += ")\n\n_arguments -C -s \\\n" + zsh_arguments(program.options) +
          "        '1: :->command' \\\n        '*:: :->arguments' && return\n\ncase $state in\n"
          "  command) _describe -t commands 'qdq command' commands ;;\n  arguments)\n    case $line[1] in\n";
  for (const CommandLine& command : program.commands) {
    text += fmt::format("      {})\n        _arguments -s \\\n{}", command.name, zsh_arguments(command.options));
    for (const OptionLine& positional : command.positionals)
      text += "        " + shell_quoted((positional.repeats ? "*" : "") + zsh_value(positional)) + " \\\n";
    text += "          ;;\n";
  }
  return text + "    esac ;;\nesac\n";
}

std::string fish_completions(const ProgramLine& program) {
  std::string text = kFishHead;
  for (const OptionLine& option : program.options) text += fish_option("__fish_use_subcommand", option);
  for (const CommandLine& command : program.commands)
    text += fmt::format("complete -c qdq -n __fish_use_subcommand -a {} -d {}\n", command.name,
                        fish_quoted(brief(command.description)));
  for (const CommandLine& command : program.commands) {
    const std::string condition = fmt::format("'__fish_seen_subcommand_from {}'", command.name);
    for (const OptionLine& option : command.options) text += fish_option(condition, option);
    for (const OptionLine& positional : command.positionals)
      text += fmt::format("complete -c qdq -n {}{}\n", condition, fish_value(positional));
  }
  return text;
}

}  // namespace qdq::cli
