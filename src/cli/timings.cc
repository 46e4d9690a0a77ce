#include "cli/timings.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "qdq/error.h"

namespace qdq::cli {
namespace {

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

bool same_steps(const std::vector<StepTime>& a, const std::vector<StepTime>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const StepTime& x, const StepTime& y) { return x.node == y.node && x.kind == y.kind; });
}

}  // namespace

std::vector<double> Timings::sorted() const {
  if (seconds_.empty()) throw InternalError("Timings: no run");
  std::vector<double> values = seconds_;
  std::sort(values.begin(), values.end());
  return values;
}

double Timings::median() const { return median_of(sorted()); }

double Timings::min() const { return sorted().front(); }

double Timings::p90() const {
  const std::vector<double> values = sorted();
  return values[(values.size() * 9 + 9) / 10 - 1];
}

std::vector<StepTime> median_steps(const std::vector<std::vector<StepTime>>& runs) {
  std::vector<StepTime> result;
  if (runs.empty()) return result;
  for (std::size_t i = 0; i < runs.front().size(); ++i) {
    std::vector<double> starts;
    std::vector<double> seconds;
    for (const auto& run : runs) {
      if (!same_steps(run, runs.front())) continue;
      starts.push_back(run[i].start);
      seconds.push_back(run[i].seconds);
    }
    const StepTime& step = runs.front()[i];
    result.push_back(
        {step.node, step.kind, median_of(std::move(starts)), median_of(std::move(seconds)), step.operations});
  }
  return result;
}

std::vector<OpTime> times_by_op(const std::vector<StepTime>& steps, const Program& program) {
  std::map<std::pair<std::string, std::string>, OpTime> totals;
  for (const StepTime& step : steps) {
    const Node* node = program.graph().find(step.node);
    const std::string op = node != nullptr ? node->target() : "-";
    OpTime& total = totals.try_emplace({op, step.kind}, OpTime{op, step.kind}).first->second;
    ++total.count;
    total.seconds += step.seconds;
    total.operations += step.operations;
  }
  std::vector<OpTime> result;
  for (const auto& [key, total] : totals) result.push_back(total);
  std::stable_sort(result.begin(), result.end(),
                   [](const OpTime& a, const OpTime& b) { return a.seconds > b.seconds; });
  return result;
}

std::string chrome_trace(const std::vector<Trace>& traces) {
  using Json = nlohmann::ordered_json;
  constexpr double kMicroseconds = 1e6;
  Json events = Json::array();
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const std::size_t pid = i + 1;
    events.push_back(
        {{"name", "process_name"}, {"ph", "M"}, {"pid", pid}, {"tid", 1}, {"args", {{"name", traces[i].program}}}});
    for (const StepTime& step : traces[i].steps)
      events.push_back({{"name", step.node},
                        {"cat", step.kind},
                        {"ph", "X"},
                        {"ts", step.start * kMicroseconds},
                        {"dur", step.seconds * kMicroseconds},
                        {"pid", pid},
                        {"tid", 1},
                        {"args", {{"kernel", step.kind}}}});
  }
  return Json{{"traceEvents", events}, {"displayTimeUnit", "ms"}}.dump() + "\n";
}

}  // namespace qdq::cli
