#include "prepare/mistake.h"

#include "qdq/error.h"

namespace qdq {

void refuse(const Mistake& mistake) {
  throw InvalidArgumentError("[prepare] " + mistake.where + ": " + mistake.what + "\n  rule: " + mistake.rule +
                             "\n  remedy: " + mistake.remedy);
}

}  // namespace qdq
