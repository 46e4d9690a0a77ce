#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "calibrate/repeated_values.h"
#include "qdq/graph.h"
#include "qdq/observer.h"

namespace qdq {

// Lets several batches run through one prepared program at the same time, while every observer sees them in order: at an
// observer, batch i waits until batch i - 1 has left it. What the observers know afterwards is what they would know had
// the batches run one by one. A batch waits only for batches before it, so that there is always one that can go on.
class Turns {
 public:
  // Thrown out of observe() and leave_all() when a batch before this one has failed. No error of its own.
  struct Abandoned {};

  // `observers` by the target of their call_module nodes in `graph`.
  Turns(const Graph& graph, const std::map<std::string, std::shared_ptr<Observer>>& observers);

  // Batches are numbered from 0 again. No batch may be under way.
  void restart();
  // The value at a call_module node, for its observer. Called by the thread that runs the batch.
  void observe(std::int64_t batch, const std::string& target, const Tensor& value);
  // The batch ran to its end: it leaves the observers that it did not meet as often as expected, or at all.
  void leave_all(std::int64_t batch);
  // The batch ended with an error. Later ones are abandoned where they wait; earlier ones are not concerned.
  void fail(std::int64_t batch);
  // The first batch that failed.
  std::int64_t failed() const { return failed_.load(); }

  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

 private:
  // An observer, which may stand at several nodes.
  struct Stop {
    std::shared_ptr<Observer> observer;
    std::int64_t nodes = 0;  // that call it in each run; with `is_conditional` some of them may not run
    bool is_conditional = false;
    std::mutex mutex;
    std::condition_variable left;
    std::int64_t turn = 0;    // the batch that may observe
    std::int64_t visits = 0;  // that it has made
  };
  struct Point {
    Stop* stop = nullptr;
    const Node* value = nullptr;  // what is observed
    // The same tensor in every run (a weight), for an observer that learns nothing from seeing it again.
    bool once = false;
    bool seen = false;
    std::optional<RepeatedValues> repeated;
  };

  void add_points(const Graph& graph, const std::map<std::string, std::shared_ptr<Observer>>& observers,
                  bool is_conditional);
  void wait_for_turn(Stop& stop, std::int64_t batch);
  static void leave(Stop& stop, std::int64_t batch);

  std::unordered_map<const Observer*, std::unique_ptr<Stop>> stops_;
  std::unordered_map<std::string, Point> points_;
  std::atomic<std::int64_t> failed_ = kNone;
};

}  // namespace qdq
