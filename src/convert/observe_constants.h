#pragma once
#include <map>
#include <memory>
#include <string>

#include "passes/constant_values.h"
#include "qdq/observer.h"

namespace qdq {

// Shows weights to the observers that have seen nothing: a program that is quantized dynamically, or only in its weights,
// needs no calibration.
//
//     get_attr @w -> permute -> activation_post_process_1       observes the permuted weight
//
// Throws InvalidArgumentError for an observer of anything else that learns its range from data and has seen none.
// Returns the number of observers that were shown something.
int observe_constants(const Program& program, const std::map<std::string, std::shared_ptr<Observer>>& observers,
                      const Evaluate& evaluate);

// The first value that a static observer must see before convert, and has not; null when there is none.
const Node* find_uncalibrated(const Program& program,
                              const std::map<std::string, std::shared_ptr<Observer>>& observers);

}  // namespace qdq
