#pragma once
#include <functional>
#include <string>

#include "formats/json/json.h"
#include "formats/pt2/payloads.h"
#include "qdq/program.h"

namespace qdq::pt2 {

// The tensor of that name: one of the state dict (parameters, persistent buffers), or a constant.
using TensorOf = std::function<Payload(const std::string& name, bool in_state)>;

// Builds the program from models/<name>.json. Lifted inputs become get_attr nodes, in the form of torch's
// ExportedProgram.module(). Throws json::Error, or FormatError for what is wrong with a tensor.
Program read_program(json::Element root, const TensorOf& tensor_of);

}  // namespace qdq::pt2
