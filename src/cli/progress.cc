#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/table.h"
#include "cli/terminal.h"

namespace qdq::cli {
namespace {

constexpr std::chrono::seconds kShowAfter{2};
constexpr std::chrono::milliseconds kRefresh{100};
constexpr std::int64_t kBarWidth = 30;

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace

std::string progress_line(const std::string& what, std::int64_t done, std::optional<std::int64_t> total,
                          double elapsed_seconds, std::int64_t before) {
  const std::int64_t now = done - before;
  if (!total) {
    const double rate = elapsed_seconds > 0 ? static_cast<double>(now) / elapsed_seconds : 0;
    return fmt::format("{}  {}  ({:.0f} a second)", what, grouped(done), rate);
  }
  const std::int64_t filled = *total > 0 ? std::min(kBarWidth, kBarWidth * done / *total) : kBarWidth;
  const double left = now > 0 ? elapsed_seconds * static_cast<double>(*total - done) / static_cast<double>(now) : 0;
  return fmt::format("{}  [{}{}]  {} / {}  {} left", what, std::string(static_cast<std::size_t>(filled), '#'),
                     std::string(static_cast<std::size_t>(kBarWidth - filled), '-'), grouped(done), grouped(*total),
                     duration(left));
}

Progress::Progress(std::string what, std::optional<std::int64_t> total, bool enabled, std::int64_t before)
    : what_(std::move(what)),
      total_(total),
      before_(before),
      done_(before),
      enabled_(enabled && stderr_is_terminal()) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void Progress::advance(std::int64_t by) {
  done_ += by;
  const Clock::time_point now = Clock::now();
  if (!enabled_ || now - start_ < kShowAfter || now - last_ < kRefresh) return;
  last_ = now;
  shown_ = true;
  const std::chrono::duration<double> elapsed = now - start_;
  std::fputs(("\r\x1b[K" + progress_line(what_, done_, total_, elapsed.count(), before_)).c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace qdq::cli
