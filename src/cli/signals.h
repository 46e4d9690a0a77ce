#pragma once
#include <array>
#include <csignal>

namespace qdq::cli {

// Holds SIGINT, SIGTERM and SIGHUP back while it lives. Files are written under a temporary name and then renamed: an
// interruption in between would leave the temporary file behind, so it comes before or after. One at a time.
class HoldSignals {
 public:
  HoldSignals();
  HoldSignals(const HoldSignals&) = delete;
  HoldSignals& operator=(const HoldSignals&) = delete;
  ~HoldSignals();            // a signal that came meanwhile arrives now
  static bool is_pending();  // one came since the newest HoldSignals was made

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
  // A handler and not a mask: masks belong to threads, and the executor's threads would take the signal.
  std::array<struct sigaction, kSignals.size()> before_{};
};

}  // namespace qdq::cli
