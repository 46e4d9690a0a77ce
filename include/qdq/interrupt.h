#pragma once
#include <functional>

namespace qdq {

// While one lives, long computations of its thread call `check` between two of their steps; what it throws ends them. For hosts that
// cannot simply be killed: Python lets Ctrl-C through this way.
class InterruptCheck {
 public:
  explicit InterruptCheck(std::function<void()> check);
  ~InterruptCheck();
  InterruptCheck(const InterruptCheck&) = delete;
  InterruptCheck& operator=(const InterruptCheck&) = delete;

 private:
  std::function<void()> outer_;
};

// Calls what the thread's latest InterruptCheck holds, if there is one.
void check_interrupt();

}  // namespace qdq
