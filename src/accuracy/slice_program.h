#pragma once
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "qdq/program.h"

namespace qdq {

// Nodes whose values a part of the program computes again rather than takes as inputs: what depends on no input of the
// program, and what is no tensor (sizes, lists).
std::unordered_set<const Node*> recomputed_nodes(const Graph& graph);

// A part of a program as a program of its own.
struct ProgramSlice {
  Program program;
  std::vector<std::string> inputs;  // the nodes of the whole program whose values it takes, in order
};

// The nodes `nodes`, in graph order, returning the values of `results`:
//
//     %x -> conv -> relu -> linear        of {relu}, {relu}:  the program graph(conv) { %relu; return %relu }
//
// `recomputed`: recomputed_nodes(). Attributes share their tensors with `program`.
ProgramSlice slice_program(const Program& program, const std::unordered_set<const Node*>& recomputed,
                           std::span<const Node* const> nodes, const std::vector<std::string>& results);

}  // namespace qdq
