#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace qdq::cli {

// A line on stderr with a bar and the time left. Shown on a terminal only, and only once the work has taken more than
// two seconds.
class Progress {
 public:
  // `total`: nothing where only the end will tell. `before`: how much of it was done earlier, in no time.
  Progress(std::string what, std::optional<std::int64_t> total, bool enabled, std::int64_t before = 0);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // clears the line

  void advance(std::int64_t by);

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  std::optional<std::int64_t> total_;
  std::int64_t before_;
  std::int64_t done_;
  bool enabled_;
  bool shown_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

// "calibrate  [#########---------]  1,024 / 2,048  6 s left"
// `before` of `done` took no time. Without a total: "calibrate  1,024  (52 a second)".
std::string progress_line(const std::string& what, std::int64_t done, std::optional<std::int64_t> total,
                          double elapsed_seconds, std::int64_t before = 0);

}  // namespace qdq::cli
