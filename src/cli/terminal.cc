#include "cli/terminal.h"

#include <unistd.h>

#include <cstdlib>

namespace qdq::cli {

bool stdout_has_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool wanted = no_colour == nullptr || *no_colour == '\0';
  return wanted && term != nullptr && std::string_view(term) != "dumb" && isatty(STDOUT_FILENO) != 0;
}

bool stderr_is_terminal() { return isatty(STDERR_FILENO) != 0; }

std::string bold(std::string_view text) { return "\x1b[1m" + std::string(text) + "\x1b[0m"; }

}  // namespace qdq::cli
