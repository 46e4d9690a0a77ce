// bench_float_forward model.pt2 inputs.npz threads
// Runs the fast executor once, then for every line on standard input (a number of runs) answers with the median time of a
// run in nanoseconds. The script of the same name drives it beside its peers.
#include <algorithm>
#include <chrono>
#include <cstdio>
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
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const qdq::Program program = qdq::load(argv[1]);
  std::vector<qdq::Tensor> inputs;
  for (const qdq::NamedTensor& tensor : qdq::load_tensors(argv[2])) inputs.push_back(tensor.value);
  qdq::ExecutorOptions options;
  options.threads = std::stoi(argv[3]);
  const auto executor = qdq::make_executor(program, options);
  executor->run(inputs);
  const auto nanoseconds = [](Clock::duration d) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
  };
  std::printf("%lld\n", static_cast<long long>(nanoseconds(Clock::now() - start)));
  std::fflush(stdout);
  int runs = 0;
  while (std::cin >> runs && runs > 0) {
    std::vector<Clock::duration> times;
    for (int i = 0; i < runs; ++i) {
      const auto before = Clock::now();
      executor->run(inputs);
      times.push_back(Clock::now() - before);
    }
    std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
    std::printf("%lld\n", static_cast<long long>(nanoseconds(times[static_cast<std::size_t>(runs) / 2])));
    std::fflush(stdout);
  }
  return 0;
}
