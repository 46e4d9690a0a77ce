// bench_int8_peers model.pt2 inputs.npz
// Runs the fast executor once on one thread, then for every line on standard input (a number of runs) answers with the CPU time
// of each run in nanoseconds. The script of the same name drives it beside its peers.
#include <cstdio>
#include <ctime>
#include <iostream>
#include <vector>

#include "qdq/executor.h"
#include "qdq/io.h"

namespace {

long long cpu_nanoseconds() {
  std::timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<long long>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_int8_peers model.pt2 inputs.npz\n");
    return 2;
  }
  const qdq::Program program = qdq::load(argv[1]);
  std::vector<qdq::Tensor> inputs;
  for (const qdq::NamedTensor& tensor : qdq::load_tensors(argv[2])) inputs.push_back(tensor.value);
  qdq::ExecutorOptions options;
  options.threads = 1;
  const auto executor = qdq::make_executor(program, options);
  executor->run(inputs);
  int runs = 0;
  while (std::cin >> runs && runs > 0) {
    for (int i = 0; i < runs; ++i) {
      const long long before = cpu_nanoseconds();
      executor->run(inputs);
      std::printf("%lld ", cpu_nanoseconds() - before);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}
