#pragma once
#include <memory>
#include <string>

#include "qdq/program.h"

namespace qdq {

// The loops whose bodies prepare and convert go into, as torchao's do: the step of a scan, the body of a while_loop.
//
//     scan(step, carried, sequences, constants)        while_loop(condition, body, carried, constants)
//
// The body of one of these; null for any other node.
const Argument::Subgraph* loop_body(const Node& node);
inline constexpr std::size_t kLoopConstants = 3;

// A loop's body as a program, so that passes made for programs run on it:
//
//     scan(subgraph "step" graph(c, x, w) {...}, [%c], [%xs], [%w])     <->     the program graph(c, x, w) {...}
//
// Its graph is the body itself, not a copy. The names of its attributes and observers begin with the body's in the
// program around it ("step._scale_0"), and without that in the program of the body ("_scale_0").
class LoopBody {
 public:
  // Takes the attributes that the body reads from `outer`, which must outlive this.
  LoopBody(Program& outer, const Argument::Subgraph& body);

  Program& program() { return program_; }
  const std::string& prefix() const { return prefix_; }  // "step."
  // Gives `outer` the attributes. Throws InvalidArgumentError when it has one of such a name already.
  void put_back();

 private:
  Program& outer_;
  std::string prefix_;
  std::shared_ptr<Graph> graph_;
  Program program_;
};

}  // namespace qdq
