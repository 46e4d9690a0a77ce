#pragma once
#include "qdq/quantize.h"

namespace CLI {
class App;
}

namespace qdq::cli {

// How observers are replaced: the options of all commands that convert a program.
void add_convert_options(CLI::App& command, ConvertOptions& options);

}  // namespace qdq::cli
