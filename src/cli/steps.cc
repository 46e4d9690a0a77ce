#include "cli/steps.h"

#include <sys/resource.h>

#include <fstream>
#include <string>
#include <string_view>

namespace qdq::cli {

namespace {

// A line of /proc/self/status, such as "VmHWM:    1234 kB", in bytes; 0 where there is none.
std::int64_t status_bytes(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return std::stoll(line.substr(key.size())) * 1024;
  return 0;
}

}  // namespace

std::int64_t resident_memory() { return status_bytes("VmRSS:"); }

std::int64_t peak_memory() {
  // getrusage's maximum cannot be reset, /proc's can.
  if (const std::int64_t bytes = status_bytes("VmHWM:"); bytes > 0) return bytes;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

void Steps::reset_peak_memory() {
  // "5" resets VmHWM to the present size. Without permission the peaks are those since the start: still true, less telling.
  std::ofstream("/proc/self/clear_refs") << 5;
}

void Steps::add(std::string name, Clock::time_point start) {
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  costs_.push_back({std::move(name), elapsed.count(), peak_memory()});
}

}  // namespace qdq::cli
