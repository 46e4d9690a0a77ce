#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "qdq/executor.h"
#include "qdq/program.h"

namespace qdq::cli {

// How long repeated runs of the same thing took.
class Timings {
 public:
  void add(double seconds) { seconds_.push_back(seconds); }
  std::int64_t count() const { return static_cast<std::int64_t>(seconds_.size()); }
  // Each in seconds, of at least one run. The median of an even number of runs is the mean of the middle two; p90 is the
  // smallest time that nine of ten runs do not exceed.
  double median() const;
  double min() const;
  double p90() const;

 private:
  std::vector<double> sorted() const;
  std::vector<double> seconds_;
};

// The steps of several runs as one: each with the medians of its start and duration. Runs that differ in their steps
// from the first (a branch not taken) do not count.
std::vector<StepTime> median_steps(const std::vector<std::vector<StepTime>>& runs);

// The steps of one op that the same kernel computes, together.
struct OpTime {
  std::string op;    // "aten.conv2d.default"; "-" for a step that no node of the program stands for
  std::string kind;  // the kernel: StepTime::kind
  std::int64_t count = 0;
  double seconds = 0;
  std::int64_t operations = 0;  // multiplications and additions
};
// The slowest first.
std::vector<OpTime> times_by_op(const std::vector<StepTime>& steps, const Program& program);

// The steps of programs in the trace format of Chrome and Perfetto, JSON: a row for each program.
struct Trace {
  std::string program;
  std::vector<StepTime> steps;
};
std::string chrome_trace(const std::vector<Trace>& traces);

}  // namespace qdq::cli
