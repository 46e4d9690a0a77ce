#pragma once
#include "base/mistake.h"

namespace qdq {

// A mistake in an annotation. docs/annotation_errors.md lists all of them.
[[noreturn]] inline void refuse(const Mistake& mistake) { refuse("prepare", mistake); }

}  // namespace qdq
