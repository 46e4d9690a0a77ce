#include "cli/signals.h"

namespace qdq::cli {
namespace {

volatile std::sig_atomic_t received = 0;

void remember(int signal) { received = signal; }

}  // namespace

HoldSignals::HoldSignals() {
  received = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &before_[i]);
}

bool HoldSignals::is_pending() { return received != 0; }

HoldSignals::~HoldSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  if (received != 0) std::raise(received);
}

}  // namespace qdq::cli
