#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>

#include "cli/accuracy_options.h"
#include "cli/calibration.h"
#include "cli/commands.h"
#include "cli/convert_options.h"
#include "cli/dry_run.h"
#include "cli/evaluation.h"
#include "cli/files.h"
#include "cli/html_report.h"
#include "cli/kept_feed.h"
#include "cli/known_values.h"
#include "cli/progress.h"
#include "cli/quantized_summary.h"
#include "cli/random_inputs.h"
#include "cli/steps.h"
#include "qdq/diagnose.h"
#include "qdq/graph_text.h"
#include "qdq/tune.h"

namespace qdq::cli {
namespace {

struct Options : CalibrationOptions {
  std::string output;
  std::string report;
  std::vector<std::string> dump_after;
  AccuracyOptions accuracy;
  std::string preset = "balanced";
  EvaluationOptions evaluation;
  ConvertOptions convert;
  bool tune = false;
};

// The samples that the accuracy algorithms learn from, at most: the first ones.
constexpr std::int64_t kAccuracySamples = 128;

PassOptions pass_options(const Options& options) {
  PassOptions passes;
  passes.disabled = options.quantizer.disabled_passes;
  passes.dump_after = options.dump_after;
  passes.dump = [](std::string_view pass, const Program& program) {
    fmt::print(stderr, "// after {}\n{}\n", pass, to_text(program));
  };
  return passes;
}

std::string duration(double seconds) {
  return seconds < 90 ? fmt::format("{:.0f} seconds", std::ceil(seconds))
                      : fmt::format("{:.0f} minutes", std::ceil(seconds / 60));
}

std::int64_t calibrate(PreparedProgram& prepared, Feed& feed, const Options& options) {
  set_executor(prepared, options);
  Progress progress("calibrate", feed.samples(), !options.quiet);
  std::int64_t samples = 0;
  MemoryLimit memory(options.max_memory, options.workers);
  calibrate_batches(
      prepared, feed, memory, [](std::int64_t) { return false; },
      [&](std::int64_t more) {
        progress.advance(more);
        samples += more;
      });
  // As if they had been saved and read: the result is that of `qdq calibrate` and `qdq convert`, to the bit.
  apply_statistics(prepared, collect_statistics(prepared));
  return samples;
}

// Searches for the ops that must stay in float.
void quantize_within(const Options& options) {
  Steps steps;
  const Program program = steps.measure("load", [&] { return load(options.model); });
  const auto quantizer = make_quantizer(options.quantizer, program, options.model);
  if (options.data.path.empty()) throw UsageError("--calibrate is missing: --max-drop quantizes with data");
  KeptFeed feed(open_feed(program, options.data, options));
  const CalibrationBatches& batches = feed.first(std::numeric_limits<std::int64_t>::max());
  const Evaluation evaluation(program, options.evaluation, options);
  const auto announce = [&](int evaluations) {
    if (!options.quiet)
      fmt::print(stderr, "qdq: note: {} evaluations at most, each after a calibration of its own\n", evaluations);
  };
  MixedPrecision found = steps.measure("search", [&] {
    return quantize_within_drop(
        program, *quantizer, batches, [&](const Program& tried) { return evaluation.score(tried); },
        {.max_drop = *options.evaluation.max_drop,
         .sixteen_bits = options.evaluation.sixteen_bits,
         .accuracy = options.accuracy,
         .executor = options.executor()},
        announce);
  });
  if (!found.reached)
    throw InvalidArgumentError(
        fmt::format("{} falls from {:.3f} to {:.3f} at best, by more than {}: nothing was written",
                    options.evaluation.metric, found.float_score, found.score, *options.evaluation.max_drop));
  steps.measure("save", [&] { save_program(found.program, options.output); });
  warn_of_coarse_tensors(found.program);
  if (options.quiet && !options.json) return;
  print_quantized(options.model, options.output, found.program,
                  feed.samples_between(0, static_cast<std::int64_t>(batches.size())), steps, {}, options.json);
  if (options.json) return;
  const bool sixteen_bits = options.evaluation.sixteen_bits;
  const std::vector<std::string>& spared = sixteen_bits ? found.in_16_bits : found.in_float;
  fmt::print("\n{} {:.3f} in float, {:.3f} quantized, after {} evaluations; {}:\n", options.evaluation.metric,
             found.float_score, found.score, found.evaluations, sixteen_bits ? "16 bits have" : "in float stay");
  for (const std::string& node : spared) fmt::print("  {}\n", node);
  if (spared.empty()) fmt::print("  none\n");
}

void quantize(Options options) {
  check_program_output(options.output);
  if (!options.report.empty()) check_program_output(options.report, {".html"});
  apply_preset(*accuracy_preset_from_text(options.preset), options.quantizer.quantizer, !options.data.path.empty(),
               options.quantizer, options.accuracy);
  if (options.evaluation.max_drop) {
    if (!options.report.empty()) throw UsageError("--report describes one quantization, --max-drop makes many");
    if (options.dry_run || options.tune || !options.quantizer.disabled_passes.empty() || !options.dump_after.empty())
      throw UsageError("--max-drop does without --dry-run, --tune, --disable-pass and --dump-after");
    quantize_within(options);
    return;
  }
  if (options.dry_run && options.data.is_stream()) throw UsageError("--dry-run cannot look ahead on standard input");
  if (!options.report.empty() && options.data.is_stream())
    throw UsageError("--report runs the samples a second time, which standard input cannot give");
  Steps steps;
  Program program = steps.measure("load", [&] { return load(options.model); });
  const auto quantizer = make_quantizer(options.quantizer, program, options.model);
  std::unique_ptr<KeptFeed> feed;
  if (!options.data.path.empty()) feed = std::make_unique<KeptFeed>(open_feed(program, options.data, options));
  if (!feed && options.accuracy.needs_data())
    throw UsageError("--calibrate is missing: the accuracy algorithms learn from data");
  const PassOptions passes = pass_options(options);
  const auto batches = [&] {
    return options.accuracy.needs_data() ? feed->first(kAccuracySamples) : CalibrationBatches{};
  };
  std::vector<AccuracyReport> improved;
  if (!options.dry_run)
    improved = improve_before_prepare(program, *quantizer, options.accuracy, batches(), options.executor());
  PreparedProgram prepared = steps.measure("prepare", [&] { return prepare(std::move(program), *quantizer, passes); });
  print_warnings(prepared);
  std::ranges::move(improve_before_calibrate(prepared, options.accuracy), std::back_inserter(improved));
  if (!feed && needs_calibration(prepared))
    throw UsageError("--calibrate is missing: static quantization chooses its ranges from data");
  if (options.dry_run) {
    if (feed) set_executor(prepared, options);
    std::vector<std::string> files = {options.output};
    if (!options.report.empty()) files.push_back(options.report);
    print_dry_run(options.model, dry_run(prepared, feed.get(), options.workers), files, options.json);
    return;
  }
  std::int64_t samples = 0;
  if (feed) samples = steps.measure("calibrate", [&] { return calibrate(prepared, *feed, options); });
  if (options.accuracy.rounding == AccuracyOptions::Rounding::adaround && !options.quiet)
    fmt::print(stderr, "qdq: note: AdaRound will take about {}\n",
               duration(estimate_adaround_seconds(prepared, {.executor = options.executor()})));
  std::ranges::move(improve_before_convert(prepared, options.accuracy, batches(), options.executor()),
                    std::back_inserter(improved));
  ConvertOptions convert_options = options.convert;
  convert_options.passes = passes;
  std::vector<ObservedTensor> observed;
  if (!options.report.empty()) observed = observed_tensors(prepared);
  Program converted = steps.measure("convert", [&] { return convert(std::move(prepared), convert_options); });
  std::vector<TunedRegion> tuned;
  if (options.tune)
    tuned = steps.measure(
        "tune", [&] { return tune(converted, random_inputs(converted, options.batch).inputs, options.executor()); });
  steps.measure("save", [&] { save_program(converted, options.output); });
  warn_of_coarse_tensors(converted);
  if (!options.report.empty())
    steps.measure("report", [&] {
      save_report(options.report, options.output, load(options.model), converted, std::move(observed), options.data,
                  options);
    });
  if (!options.quiet || options.json)
    print_quantized(options.model, options.output, converted, samples, steps, tuned, options.json, improved);
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
      "  qdq quantize net.pt2 --calibrate images.npz --quantizer x86 --observer MSEObserver -o net.int8.pt2\n"
      "  qdq quantize net.pt2 --calibrate images.npz --quantizer x86 --tune --threads 4 -o net.int8.pt2\n"
      "      what is slower in int8 than in float here runs in float; the file says so\n"
      "  qdq quantize bert.pt2 --weight-only int8 -o bert.w8.pt2\n"
      "      weights alone: no data needed\n"
      "  qdq quantize bert.pt2 --dynamic -o bert.int8.pt2\n"
      "      linear layers only, ranges found at run time: no data needed\n"
      "  qdq quantize mobilenet.pt2 --calibrate photos --preprocess imagenet --samples 300 -o out.pt2\n"
      "      the photographs in a folder, resized, cropped and normalised\n"
      "\n"
      "DATA is a .npy, .npz or .safetensors, a folder of them, a folder of images, or - for .npy files on\n"
      "standard input, one for each batch. Arrays are found by the names of the program's inputs\n"
      "('qdq inspect' lists them), or else taken in order; the first dimension counts the samples. A few\n"
      "hundred typical samples are enough.");
  command.add_option("model", options->model, "Program saved by torch.export.save, or .onnx")
      ->required()
      ->type_name("MODEL");
  command.add_option("-c,--calibrate", options->data.path, "Typical inputs, from which the ranges are learned")
      ->type_name("DATA");
  command.add_option("-o,--output", options->output, "Where the quantized program goes")->required()->type_name("OUT");
  command
      .add_option("--report", options->report,
                  "Also write an HTML page: what became of each op, where accuracy is lost, histograms and ranges")
      ->type_name("OUT.html");
  std::vector<std::string> after = pass_names();
  after.emplace_back("all");
  with_known_values(
      command.add_option("--dump-after", options->dump_after,
                         "Print the graph on standard error after a pass, or after 'all'; may be repeated"),
      after)
      ->type_name("PASS")
      ->allow_extra_args(false);
  command.add_flag(
      "--tune", options->tune,
      "Time each quantized region in int8 and in float on this machine, let float have those where it is faster, "
      "and say which");
  command
      .add_option(
          "--accuracy", options->preset,
          "fast: what the quantizer says alone. balanced (the default): scales per channel, ranges behind clamps, "
          "16 bits for the few activations that cost most with 8, fast bias correction. best: SmoothQuant and "
          "AdaRound as well, 8 bits for the weights that lose most with fewer; it may take minutes")
      ->check(CLI::IsMember({"fast", "balanced", "best"}))
      ->type_name("PRESET");
  add_accuracy_options(command, options->accuracy);
  add_evaluation_options(command, options->evaluation);
  add_convert_options(command, options->convert);
  add_calibration_options(command, *options);
  command.callback([options] { quantize(*options); });
}

}  // namespace qdq::cli
