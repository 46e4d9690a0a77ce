#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <thread>

#include "cli/batches.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "cli/quantizer_options.h"
#include "cli/report.h"
#include "cli/steps.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "qdq/graph_text.h"
#include "qdq/quantize.h"

namespace qdq::cli {
namespace {

struct Options : RunOptions {
  QuantizerOptions quantizer;
  std::string model;
  std::string data;
  std::string output;
  std::vector<std::string> dump_after;
  int workers = 1;
};

int available_cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

PassOptions pass_options(const Options& options) {
  PassOptions passes;
  passes.disabled = options.quantizer.disabled_passes;
  passes.dump_after = options.dump_after;
  passes.dump = [](std::string_view pass, const Program& program) {
    fmt::print(stderr, "// after {}\n{}\n", pass, to_text(program));
  };
  return passes;
}

void calibrate(PreparedProgram& prepared, const Batches& batches, const Options& options) {
  ExecutorOptions executor = options.executor();
  // The cores are shared out, unless the command line says how many threads each worker has.
  if (executor.threads == 0 && options.workers > 1) executor.threads = std::max(1, available_cores() / options.workers);
  prepared.set_executor(executor);
  Progress progress("calibrate", batches.samples(), !options.quiet);
  std::int64_t taken = 0;
  const NextBatch next = [&]() -> std::optional<std::vector<Tensor>> {
    if (taken == batches.count()) return std::nullopt;
    return batches.batch(taken++);
  };
  prepared.calibrate(next, {.workers = options.workers,
                            .after_batch = [&](std::int64_t done) { progress.advance(batches.samples_in(done - 1)); }});
}

void print_summary(const Options& options, const QuantizationSummary& summary, std::int64_t samples,
                   const Steps& steps) {
  const std::int64_t before = file_size(options.model);
  const std::int64_t after = file_size(options.output);
  if (options.json) {
    print_json({{"model", options.model},
                {"output", options.output},
                {"bytes_before", before},
                {"bytes_after", after},
                {"samples", samples},
                {"quantized", summary.quantized()},
                {"in_float", summary.in_float()},
                {"ops", ops_json(summary)},
                {"steps", steps_json(steps.costs())}});
    return;
  }
  fmt::print("{}: {} of {} ops quantized", options.output, summary.quantized(),
             summary.quantized() + summary.in_float());
  if (samples > 0) fmt::print(", calibrated on {} samples", grouped(samples));
  fmt::print("\n\n{}\n", ops_table(summary));
  fmt::print("  {} bytes before, {} bytes after ({})\n\n", grouped(before), grouped(after),
             percent(static_cast<double>(after), static_cast<double>(before)));
  fmt::print("{}", steps_table(steps.costs()));
}

void quantize(const Options& options) {
  check_program_output(options.output);
  if (options.data.empty() && !options.quantizer.is_dynamic)
    throw UsageError("--calibrate is missing: static quantization chooses its ranges from data");
  Steps steps;
  Program program = steps.measure("load", [&] { return load(options.model); });
  const auto quantizer = make_quantizer(options.quantizer, program, options.model);
  std::optional<Batches> batches;
  if (!options.data.empty()) {
    batches.emplace(program, load_tensors(options.data), options.batch, Batches::Remainder::drop, options.data);
    if (options.samples) batches->limit(*options.samples);
    if (batches->dropped() > 0 && !options.quiet)
      fmt::print(stderr, "qdq: note: the last {} samples do not fill a batch of {} and are left out\n",
                 batches->dropped(), batches->batch_size());
    if (batches->count() == 0)
      throw InvalidArgumentError(fmt::format("{}: {} samples do not fill one batch of {}", options.data,
                                             batches->samples(), batches->batch_size()));
  }
  const PassOptions passes = pass_options(options);
  PreparedProgram prepared = steps.measure("prepare", [&] { return prepare(std::move(program), *quantizer, passes); });
  if (batches) steps.measure("calibrate", [&] { calibrate(prepared, *batches, options); });
  const Program converted =
      steps.measure("convert", [&] { return convert(std::move(prepared), {.fold_quantize = true, .passes = passes}); });
  steps.measure("save", [&] { save_program(converted, options.output); });
  const std::int64_t samples = batches ? batches->samples() - batches->dropped() : 0;
  if (!options.quiet || options.json) print_summary(options, summarize_quantization(converted), samples, steps);
}

}  // namespace

void add_quantize(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = add_command(
      app, "quantize",
      "Quantizes a program: learns the ranges of values from calibration data, stores the weights in int8 and puts "
      "quantize and dequantize nodes where the quantizer wants them.",
      "  qdq quantize net.pt2 --calibrate images.npz --per-channel -o net.int8.pt2\n"
      "  qdq quantize net.pt2 --calibrate images.npz --exclude 'aten.linear.*' -o net.int8.pt2\n"
      "      linear layers stay in float; 'features.0.*' would leave that module alone\n"
      "  qdq quantize bert.pt2 --dynamic -o bert.int8.pt2\n"
      "      linear layers only, ranges found at run time: no data needed\n"
      "\n"
      "The data file is a .npy, .npz or .safetensors. Arrays are found by the names of the program's\n"
      "inputs ('qdq inspect' lists them), or else taken in order; the first dimension counts the\n"
      "samples. A few hundred typical samples are enough.");
  command.add_option("model", options->model, "Program saved by torch.export.save")->required()->type_name("MODEL.pt2");
  command.add_option("-c,--calibrate", options->data, "Typical inputs, from which the ranges are learned")
      ->type_name("DATA");
  command.add_option("-o,--output", options->output, "Where the quantized program goes")
      ->required()
      ->type_name("OUT.pt2");
  add_quantizer_options(command, options->quantizer);
  command
      .add_option("--dump-after", options->dump_after,
                  "Print the graph on standard error after a pass, or after 'all'; may be repeated")
      ->type_name("PASS")
      ->allow_extra_args(false);
  command
      .add_option("--workers", options->workers,
                  "Batches to run at the same time, each on its share of the threads (default: 1). The result does not "
                  "depend on it")
      ->check(CLI::Range(1, 256))
      ->type_name("N");
  add_run_options(command, *options);
  command.callback([options] { quantize(*options); });
}

}  // namespace qdq::cli
