// bench_float_forward model.pt2 inputs.npz threads
// Runs the fast executor once, then for every line on standard input (a number of runs) answers with the median time of a
// run in nanoseconds: with one thread the processor's time, to which other work on the machine does not count, else the
// time that passed. The script of the same name drives it beside its peers.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include "qdq/executor.h"
#include "qdq/io.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_float_forward model.pt2 inputs.npz threads\n");
    return 2;
  }
  const int threads = std::stoi(argv[3]);
  const auto now = [&] {
    std::timespec time{};
    clock_gettime(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
    return static_cast<long long>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  const long long start = now();
  const qdq::Program program = qdq::load(argv[1]);
  std::vector<qdq::Tensor> inputs;
  for (const qdq::NamedTensor& tensor : qdq::load_tensors(argv[2])) inputs.push_back(tensor.value);
  qdq::ExecutorOptions options;
  options.threads = threads;
  const auto executor = qdq::make_executor(program, options);
  executor->run(inputs);
  std::printf("%lld\n", now() - start);
  std::fflush(stdout);
  int runs = 0;
  while (std::cin >> runs && runs > 0) {
    std::vector<long long> times;
    for (int i = 0; i < runs; ++i) {
      const long long before = now();
      executor->run(inputs);
      times.push_back(now() - before);
    }
    std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
    std::printf("%lld\n", times[static_cast<std::size_t>(runs) / 2]);
    std::fflush(stdout);
  }
  return 0;
}
