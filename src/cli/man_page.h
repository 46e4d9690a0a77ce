#pragma once
#include <string>

#include "cli/command_line.h"

namespace qdq::cli {

// The manual page qdq(1), in the language of man(7).
std::string man_page(const ProgramLine& program);

}  // namespace qdq::cli
