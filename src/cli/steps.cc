#include "cli/steps.h"

#include <sys/resource.h>

#include <fstream>
#include <string>

namespace qdq::cli {

std::int64_t peak_memory() {
  // getrusage's maximum cannot be reset, /proc's can.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
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
