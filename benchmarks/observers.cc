// Times observers for benchmarks/observers.py. Reads one command per line from stdin:
//
//   new KIND DTYPE     a fresh observer
//   values COUNT       that many float32 values, whose bytes follow the line
//   observe            observes them; answers the nanoseconds
//   qparams            calculates the qparams; answers nanoseconds, scale and zero_point
#include <chrono>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>

#include "qdq/observer.h"

namespace {

template <typename Fn>
double nanoseconds(Fn&& fn) {
  const auto start = std::chrono::steady_clock::now();
  fn();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main() {
  std::shared_ptr<qdq::Observer> observer;
  qdq::Tensor values;
  std::cout << std::setprecision(17);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream command(line);
    std::string verb, kind, dtype;
    std::int64_t count = 0;
    command >> verb;
    if (verb == "new") {
      command >> kind >> dtype;
      observer = qdq::observer_by_name(kind)({.dtype = qdq::dtype_from_name(dtype)});
    } else if (verb == "values") {
      command >> count;
      values = qdq::Tensor::empty(qdq::DType::float32, {count});
      std::cin.read(reinterpret_cast<char*>(values.raw_data()), static_cast<std::streamsize>(values.nbytes()));
    } else if (verb == "observe") {
      std::cout << nanoseconds([&] { observer->observe(values); }) << std::endl;
    } else if (verb == "qparams") {
      qdq::QParams qparams;
      const double time = nanoseconds([&] { qparams = observer->calculate_qparams(); });
      std::cout << time << " " << qparams.scale.item() << " " << qparams.zero_point.item() << std::endl;
    }
  }
}
