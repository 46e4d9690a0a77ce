#pragma once
#include <memory>
#include <vector>

#include "lower/emitter.h"
#include "runtime/plan.h"

namespace qdq::lower {

struct Specialisation {
  std::unique_ptr<runtime::Plan> plan;  // null: sizes depend on data, or an op has no kernel: no plan is possible
  std::vector<Graph::Note> notes;       // why nodes were not fused
};

// Plans the program for placeholders of these values: of tensors only dtype and sizes count.
Specialisation specialise(Shared& shared, const std::vector<Value>& inputs);

// The attributes that running the program changes get copies in shared.state, once.
void prepare_state(Shared& shared);

}  // namespace qdq::lower
