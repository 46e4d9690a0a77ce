// bench_calibration_overhead model.pt2 data.npz batch
// Runs the batches of the data through the float program and through the program prepared by the XNNPACK quantizer (per
// channel, histograms), in turn, one thread. Prints the CPU seconds of both, without loading and planning: the first batch
// is run once before.
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "qdq/qdq.h"

namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_calibration_overhead model.pt2 data.npz batch\n");
    return 2;
  }
  const std::int64_t batch = std::stol(argv[3]);
  const std::vector<qdq::NamedTensor> data = qdq::load_tensors(argv[2]);
  const auto inputs = [&](std::int64_t first) {
    std::vector<qdq::Tensor> tensors;
    for (const qdq::NamedTensor& tensor : data) tensors.push_back(tensor.value.narrow(0, first, batch).clone());
    return tensors;
  };
  qdq::ExecutorOptions options;
  options.threads = 1;
  const qdq::Program program = qdq::load(argv[1]);
  const auto executor = qdq::make_executor(program, options);
  qdq::XnnpackQuantizer quantizer;
  quantizer.set_global(qdq::symmetric_config({.per_channel = true}));
  qdq::PreparedProgram prepared = qdq::prepare(qdq::load(argv[1]), quantizer);
  prepared.set_executor(options);
  executor->run(inputs(0));
  prepared.calibrate(inputs(0));

  double in_float = 0, calibrating = 0;
  for (std::int64_t first = 0; first + batch <= data.at(0).value.size(0); first += batch) {
    const std::vector<qdq::Tensor> next = inputs(first);
    const double start = cpu_seconds();
    executor->run(next);
    const double middle = cpu_seconds();
    prepared.calibrate(next);
    in_float += middle - start;
    calibrating += cpu_seconds() - middle;
  }
  std::printf("%.6f %.6f\n", in_float, calibrating);
  return 0;
}
