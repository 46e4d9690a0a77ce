#pragma once
#include <string_view>
#include <vector>

#include "qdq/pass_manager.h"

namespace qdq {

// Every pass that can be run by its name: golden tests, `qdq pass`.
struct NamedPass {
  std::string_view name;
  PassFn run;
};
const std::vector<NamedPass>& pass_list();

// Null when there is no such pass. '-' and '_' are the same.
const PassFn* find_pass(std::string_view name);

}  // namespace qdq
