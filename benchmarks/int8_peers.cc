// bench_int8_peers model.pt2 inputs.npz threads
// Runs the fast executor once, then for every line on standard input (a number of runs) answers with the time of each run in
// nanoseconds: CPU time on one thread, wall time on several. The script of the same name drives it beside its peers.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <vector>

#include "qdq/executor.h"
#include "qdq/io.h"

namespace {

long long nanoseconds(clockid_t clock) {
  std::timespec now{};
  clock_gettime(clock, &now);
  return static_cast<long long>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_int8_peers model.pt2 inputs.npz threads\n");
    return 2;
  }
  const qdq::Program program = qdq::load(argv[1]);
  std::vector<qdq::Tensor> inputs;
  for (const qdq::NamedTensor& tensor : qdq::load_tensors(argv[2])) inputs.push_back(tensor.value);
  qdq::ExecutorOptions options;
  options.threads = std::atoi(argv[3]);
  const clockid_t clock = options.threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
  const auto executor = qdq::make_executor(program, options);
  executor->run(inputs);
  int runs = 0;
  while (std::cin >> runs && runs > 0) {
    for (int i = 0; i < runs; ++i) {
      const long long before = nanoseconds(clock);
      executor->run(inputs);
      std::printf("%lld ", nanoseconds(clock) - before);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}
