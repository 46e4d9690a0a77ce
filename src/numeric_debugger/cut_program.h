#pragma once
#include <string>
#include <vector>

#include "qdq/program.h"

namespace qdq {

// A program in which every op of `nodes` is alone: it returns their values, in that order, and whatever read one of them
// reads an input instead, which comes behind the program's own inputs, in that order too.
//
//     graph(x) {                                   graph(x, conv_reference, relu_reference) {
//       %q = quantize(%x) %dq = dequantize(%q)       %q = quantize(%x) %dq = dequantize(%q)
//       %conv = conv2d(%dq, %w)                      %conv = conv2d(%dq, %w)
//       %relu = relu(%conv)                          %relu = relu(%conv_reference)
//       return (%relu) }                             return (%conv, %relu) }
//
// Fed with the values that the nodes have in another program, it shows what each op does to them. Results that are
// written back to buffers stay and come first. Throws InternalError when there is no node of a name.
Program cut_program(const Program& program, const std::vector<std::string>& nodes);

}  // namespace qdq
