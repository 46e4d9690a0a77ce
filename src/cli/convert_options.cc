#include "cli/convert_options.h"

#include <CLI/CLI.hpp>

namespace qdq::cli {

void add_convert_options(CLI::App& command, ConvertOptions& options) {
  command.add_flag("--reference-representation", options.use_reference_representation,
                   "Write quantized ops out in integer arithmetic: to read what a backend computes, not to be fast");
}

}  // namespace qdq::cli
