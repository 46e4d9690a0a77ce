#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/report.h"
#include "qdq/quantize.h"
#include "qdq/quantizers.h"

namespace CLI {
class App;
}

namespace qdq::cli {

// What is quantized and how: everything that decides where prepare puts which observers. Every command that prepares a
// program has these options, and a statistics file carries them, so that `convert` can prepare the program again.
struct QuantizerOptions : qdq::QuantizerOptions {
  std::string quantizer = "xnnpack";
  std::vector<std::string> disabled_passes;
};

void add_quantizer_options(CLI::App& command, QuantizerOptions& options);

// Whether an op of `program` reads or makes quantized values.
bool is_quantized(const Program& program);

// Throws UsageError if `program`, which is the file `model`, is quantized already, and for a pattern of --exclude that fits none of its nodes.
std::unique_ptr<Quantizer> make_quantizer(const QuantizerOptions& options, const Program& program,
                                          const std::string& model);

// What prepare found worth knowing, on standard error: that little is going to be quantized, and why.
void print_warnings(const PreparedProgram& prepared);

// The recipe in a statistics file: the options by their long names, all of them, in a fixed order.
Json recipe_json(const QuantizerOptions& options);
// The inverse. Throws FormatError, which names the key, for anything that recipe_json does not write.
QuantizerOptions recipe_from_json(const Json& recipe, const std::string& where);

}  // namespace qdq::cli
