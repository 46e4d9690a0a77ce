#include "base/mistake.h"

#include "qdq/error.h"

namespace qdq {

void refuse(std::string_view stage, const Mistake& mistake) {
  throw InvalidArgumentError("[" + std::string(stage) + "] " + mistake.where + ": " + mistake.what +
                             "\n  rule: " + mistake.rule + "\n  remedy: " + mistake.remedy +
                             (mistake.annotated_by.empty() ? "" : "\n  annotated by: " + mistake.annotated_by));
}

}  // namespace qdq
