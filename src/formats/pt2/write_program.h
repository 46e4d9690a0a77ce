#pragma once
#include "formats/json/json_writer.h"
#include "qdq/program.h"

namespace qdq::pt2 {

// The text of models/<name>.json: parameters, buffers and constants become inputs of the graph again. Every attribute
// of the program gets one, read by the graph or not, as torch keeps unused parameters. Goes on in `text`. Throws FormatError.
json::TextBuffer write_program(const Program& program, json::TextBuffer text = {});

}  // namespace qdq::pt2
