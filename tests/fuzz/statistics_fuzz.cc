// The reader of calibration statistics: a file is refused with a FormatError, and what it says about an observer is refused
// with an InvalidArgumentError or gives an observer that can be asked for its parameters and saved.
#include <cstdlib>

#include "bytes_file.h"
#include "qdq/error.h"
#include "qdq/statistics.h"

namespace {

// Kinds that are no observer's, options and states that the observer refuses: all InvalidArgumentError.
void use(const qdq::ObserverStatistics& seen) {
  try {
    const auto observer = qdq::observer_by_name(seen.kind)(seen.options);
    observer->load_state(seen.state);
    observer->calculate_qparams();
    const auto again = qdq::observer_by_name(seen.kind)(seen.options);
    again->load_state(observer->save_state());
  } catch (const qdq::InvalidArgumentError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const qdq::fuzz::BytesFile file(data, size);
  try {
    const qdq::Statistics statistics = qdq::load_statistics(file.path());
    for (const qdq::ObserverStatistics& seen : statistics.observers) use(seen);
  } catch (const qdq::FormatError&) {
  }
  return 0;
}
