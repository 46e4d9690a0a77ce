// Quantizes trained networks with the C++ API and measures what it cost and what it brought:
// accuracy, file size, time and memory. `make demo` runs it on the two networks in this folder.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/argmax_agreement.h"
#include "cli/steps.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "labelled_images.h"
#include "qdq/executor.h"
#include "qdq/io.h"
#include "qdq/quantize.h"
#include "qdq/xnnpack_quantizer.h"

namespace {

using qdq::cli::Steps;
using qdq::demo::LabelledImages;

constexpr std::int64_t kCalibrationImages = 512;
constexpr std::int64_t kTestImages = 10000;

struct Options {
  std::vector<std::filesystem::path> models;
  std::filesystem::path calibration;
  std::filesystem::path test;
  std::filesystem::path fashion_mnist = "/usr/share/datasets/fashion-mnist";
  std::filesystem::path out = "build/demo";
  std::int64_t batch = 50;
  int threads = 0;
};

std::int64_t batches(const LabelledImages& data, std::int64_t size) { return (data.images.size(0) + size - 1) / size; }

qdq::Tensor batch(const LabelledImages& data, std::int64_t index, std::int64_t size) {
  const std::int64_t start = index * size;
  return data.images.narrow(0, start, std::min(size, data.images.size(0) - start)).contiguous();
}

qdq::ExecutorOptions executor_options(const Options& options) {
  qdq::ExecutorOptions result;
  result.threads = options.threads;
  return result;
}

// The class that the program gives to each image.
std::vector<std::int64_t> classify(const qdq::Program& program, const LabelledImages& data, const Options& options) {
  const auto executor = qdq::make_executor(program, executor_options(options));
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < batches(data, options.batch); ++i) {
    const std::vector<qdq::Tensor> results = executor->run({batch(data, i, options.batch)});
    const std::vector<std::int64_t> found = qdq::cli::argmax_rows(results.at(0));
    classes.insert(classes.end(), found.begin(), found.end());
  }
  return classes;
}

std::string share_equal(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
  return fmt::format("{:.2f} %", 100.0 * static_cast<double>(equal) / static_cast<double>(a.size()));
}

std::string size_of(const std::filesystem::path& file) {
  return qdq::cli::grouped(static_cast<std::int64_t>(std::filesystem::file_size(file))) + " bytes";
}

void run_demo(const std::filesystem::path& model, const LabelledImages& calibration, const LabelledImages& test,
              const Options& options) {
  const std::filesystem::path quantized_file = options.out / (model.stem().string() + ".int8.pt2");
  Steps steps;

  // This is all that it takes to quantize a network.
  qdq::Program program = steps.measure("load", [&] { return qdq::load(model); });
  qdq::XnnpackQuantizer quantizer;
  quantizer.set_global(qdq::symmetric_config({.per_channel = true}));
  qdq::PreparedProgram prepared = steps.measure("prepare", [&] { return qdq::prepare(std::move(program), quantizer); });
  prepared.set_executor(executor_options(options));
  steps.measure("calibrate", [&] {
    for (std::int64_t i = 0; i < batches(calibration, options.batch); ++i)
      prepared.calibrate({batch(calibration, i, options.batch)});
  });
  const qdq::Program converted = steps.measure("convert", [&] { return qdq::convert(std::move(prepared)); });
  steps.measure("save", [&] { qdq::save(converted, quantized_file); });

  // What was written is what runs: both programs come from their files.
  const qdq::Program in_float = qdq::load(model);
  const qdq::Program in_int8 = steps.measure("load again", [&] { return qdq::load(quantized_file); });
  const auto float_classes = steps.measure("run, float", [&] { return classify(in_float, test, options); });
  const double float_seconds = steps.costs().back().seconds;
  const auto int8_classes = steps.measure("run, int8", [&] { return classify(in_int8, test, options); });
  const double int8_seconds = steps.costs().back().seconds;

  const qdq::QuantizationSummary summary = qdq::summarize_quantization(in_int8);
  fmt::print("{}: {} of {} ops quantized, calibrated on {} images\n\n", qdq::cli::bold(model.stem().string()),
             summary.quantized(), summary.quantized() + summary.in_float(), calibration.images.size(0));
  qdq::cli::Table results({{""}, {"float", true}, {"int8", true}});
  results.add({fmt::format("right on {} images", qdq::cli::grouped(test.images.size(0))),
               share_equal(float_classes, test.labels), share_equal(int8_classes, test.labels)});
  results.add({"same answer as float", "", share_equal(float_classes, int8_classes)});
  results.add({"file", size_of(model), size_of(quantized_file)});
  results.add({"time to run", qdq::cli::seconds(float_seconds), qdq::cli::seconds(int8_seconds)});
  fmt::print("{}\n", results.to_string());
  qdq::cli::Table costs({{"step"}, {"time", true}, {"peak memory", true}});
  for (const auto& cost : steps.costs())
    costs.add({cost.name, qdq::cli::seconds(cost.seconds), qdq::cli::megabytes(cost.peak_bytes)});
  fmt::print("{}\n", costs.to_string());
}

void run_all(const Options& options) {
  std::filesystem::create_directories(options.out);
  LabelledImages calibration;
  LabelledImages test;
  if (options.test.empty()) {
    calibration = qdq::demo::load_fashion_mnist(options.fashion_mnist, "train", kCalibrationImages);
    test = qdq::demo::load_fashion_mnist(options.fashion_mnist, "t10k", kTestImages);
  } else {
    calibration = qdq::demo::load_arrays(options.calibration);
    test = qdq::demo::load_arrays(options.test);
  }
  for (const auto& model : options.models) run_demo(model, calibration, test, options);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Quantizes trained networks and compares them with their float originals.");
  Options options;
  app.add_option("--model", options.models, "Networks (.pt2). Default: the two of this folder");
  CLI::Option* calibration = app.add_option("--calibrate", options.calibration, ".npz with images x and labels y");
  CLI::Option* test = app.add_option("--test", options.test, ".npz with images x and labels y");
  calibration->needs(test);
  test->needs(calibration);
  app.add_option("--fashion-mnist", options.fashion_mnist, "Folder of the four .gz files")->capture_default_str();
  app.add_option("--out", options.out, "Folder for the quantized networks")->capture_default_str();
  app.add_option("--batch", options.batch, "Images in one call")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--threads", options.threads, "Threads (default: all cores)")->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  const std::filesystem::path folder(QDQ_DEMO_NETWORKS);
  if (options.models.empty()) options.models = {folder / "fmnist_resnet.pt2", folder / "fmnist_mbv2.pt2"};
  try {
    run_all(options);
    return 0;
  } catch (const qdq::Error& error) {
    fmt::print(stderr, "qdq-demo: error: {}\n", error.what());
    return qdq::exit_code(error.code());
  }
}
