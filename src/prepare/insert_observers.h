#pragma once
#include <map>
#include <memory>
#include <string>

#include "qdq/quantizer.h"

namespace qdq {

// Puts a call_module node for each observer behind the value that it observes and makes the annotated consumers (for an
// output observer: all consumers) read it.
//
//     %conv -> relu, add      becomes      %conv -> %activation_post_process_2 -> relu, add
//
// A consumer whose edge has another observer than the producer's output gets it chained behind that one. Returns the
// observers by target; one observer at several places has a name for each.
// Throws InvalidArgumentError when an annotated node takes a tensor as keyword argument.
std::map<std::string, std::shared_ptr<Observer>> insert_observers(Program& program, const ObserverMap& observers);

}  // namespace qdq
