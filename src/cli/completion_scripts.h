#pragma once
#include <string>

#include "cli/command_line.h"

namespace qdq::cli {

// Scripts that complete commands, options, the values of options, and files by their extensions. Each asks nothing of the
// program when it runs.
std::string bash_completions(const ProgramLine& program);  // bash 4.4 or newer; needs no bash-completion package
std::string zsh_completions(const ProgramLine& program);   // an autoload function "_qdq" for $fpath
std::string fish_completions(const ProgramLine& program);

}  // namespace qdq::cli
