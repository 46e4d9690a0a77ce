#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/calibration.h"
#include "cli/commands.h"
#include "cli/convert_options.h"
#include "cli/dry_run.h"
#include "cli/files.h"
#include "cli/html_report.h"
#include "cli/known_values.h"
#include "cli/progress.h"
#include "cli/quantized_summary.h"
#include "cli/random_inputs.h"
#include "cli/steps.h"
#include "qdq/graph_text.h"
#include "qdq/tune.h"

namespace qdq::cli {
namespace {

struct Options : CalibrationOptions {
  std::string output;
  std::string report;
  std::vector<std::string> dump_after;
  ConvertOptions convert;
  bool tune = false;
};

PassOptions pass_options(const Options& options) {
  PassOptions passes;
  passes.disabled = options.quantizer.disabled_passes;
  passes.dump_after = options.dump_after;
  passes.dump = [](std::string_view pass, const Program& program) {
    fmt::print(stderr, "// after {}\n{}\n", pass, to_text(program));
  };
  return passes;
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

void quantize(const Options& options) {
  check_program_output(options.output);
  if (!options.report.empty()) check_program_output(options.report, {".html"});
  if (options.dry_run && options.data.is_stream()) throw UsageError("--dry-run cannot look ahead on standard input");
  if (!options.report.empty() && options.data.is_stream())
    throw UsageError("--report runs the samples a second time, which standard input cannot give");
  Steps steps;
  Program program = steps.measure("load", [&] { return load(options.model); });
  const auto quantizer = make_quantizer(options.quantizer, program, options.model);
  std::unique_ptr<Feed> feed;
  if (!options.data.path.empty()) feed = open_feed(program, options.data, options);
  const PassOptions passes = pass_options(options);
  PreparedProgram prepared = steps.measure("prepare", [&] { return prepare(std::move(program), *quantizer, passes); });
  print_warnings(prepared);
  if (!feed && needs_calibration(prepared))
    throw UsageError("--calibrate is missing: static quantization chooses its ranges from data");
  if (options.dry_run) {
    if (feed) set_executor(prepared, options);
    print_dry_run(options.model, dry_run(prepared, feed.get(), options.workers), {options.output}, options.json);
    return;
  }
  std::int64_t samples = 0;
  if (feed) samples = steps.measure("calibrate", [&] { return calibrate(prepared, *feed, options); });
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
  if (!options.report.empty())
    steps.measure("report", [&] {
      save_report(options.report, options.output, load(options.model), converted, std::move(observed), options.data,
                  options);
    });
  if (!options.quiet || options.json)
    print_quantized(options.model, options.output, converted, samples, steps, tuned, options.json);
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
  add_convert_options(command, options->convert);
  add_calibration_options(command, *options);
  command.callback([options] { quantize(*options); });
}

}  // namespace qdq::cli
