#include "qdq/interrupt.h"

#include <utility>

namespace qdq {
namespace {

thread_local std::function<void()> current;

}  // namespace

InterruptCheck::InterruptCheck(std::function<void()> check) : outer_(std::exchange(current, std::move(check))) {}

InterruptCheck::~InterruptCheck() { current = std::move(outer_); }

void check_interrupt() {
  if (current) current();
}

}  // namespace qdq
