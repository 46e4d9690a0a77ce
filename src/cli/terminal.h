#pragma once
#include <string>
#include <string_view>

namespace qdq::cli {

// True when the stream is a terminal that shows colours (not with NO_COLOR set or TERM=dumb).
bool stdout_has_colour();
bool stderr_is_terminal();

// `text` in bold, for terminals.
std::string bold(std::string_view text);

}  // namespace qdq::cli
