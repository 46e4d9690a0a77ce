#pragma once
#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace qdq::cli {

// What one step of a command cost.
struct StepCost {
  std::string name;
  double seconds = 0;
  std::int64_t peak_bytes = 0;  // highest resident memory of the process during the step
};

// Measures the steps of a command one after the other.
class Steps {
 public:
  // Runs `work` as the step `name` and returns its result. A step that throws is not recorded.
  template <typename Work>
  auto measure(std::string name, Work&& work) {
    reset_peak_memory();
    const auto start = Clock::now();
    // Records on leaving the scope, so that steps without a result need no second copy of this function.
    struct Record {
      ~Record() {
        if (std::uncaught_exceptions() == 0) steps->add(std::move(name), start);
      }
      Steps* steps;
      std::string name;
      Clock::time_point start;
    } record{this, std::move(name), start};
    return std::forward<Work>(work)();
  }

  const std::vector<StepCost>& costs() const { return costs_; }

 private:
  using Clock = std::chrono::steady_clock;
  void add(std::string name, Clock::time_point start);
  static void reset_peak_memory();

  std::vector<StepCost> costs_;
};

// Highest resident memory in bytes since the process started or the last reset; 0 where the system does not tell.
std::int64_t peak_memory();
// Resident memory in bytes now; 0 where the system does not tell.
std::int64_t resident_memory();

}  // namespace qdq::cli
