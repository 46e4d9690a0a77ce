#pragma once
#include "formats/json/json.h"
#include "formats/pt2/payloads.h"
#include "qdq/program.h"

namespace qdq::pt2 {

// Builds the program from models/<name>.json. Lifted inputs become get_attr nodes, in the form of torch's
// ExportedProgram.module(). Throws json::Error, or FormatError for what is wrong with a tensor.
Program read_program(json::Element root, Payloads& weights, Payloads& constants);

}  // namespace qdq::pt2
