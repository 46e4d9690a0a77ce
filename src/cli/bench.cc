#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <memory>
#include <thread>

#include "cli/batches.h"
#include "cli/commands.h"
#include "cli/data_options.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "cli/random_inputs.h"
#include "cli/report.h"
#include "cli/steps.h"
#include "cli/table.h"
#include "cli/timings.h"
#include "cli/usage.h"
#include "qdq/executor.h"
#include "qdq/io.h"

namespace qdq::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWarmUps = 2;         // after the first run, which plans
constexpr std::int64_t kLeast = 5;  // runs, even where the time is over

struct Options : RunOptions {
  std::string model;
  std::string other;
  std::optional<int> other_threads;
  DataOptions data;
  std::string trace;
  std::optional<std::int64_t> runs;
  double seconds = 3;
  bool per_op = false;
  bool per_node = false;

  bool profiles() const { return per_op || per_node || !trace.empty(); }
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A program that is measured.
struct Contender {
  std::string path;
  int threads = 0;  // as ExecutorOptions::threads
  Program program;
  std::unique_ptr<Executor> executor;
  double load_seconds = 0;
  double first_run_seconds = 0;
  std::int64_t memory_bytes = 0;  // the most resident memory that loading and the first runs added
  Timings timings;
  std::vector<StepTime> steps;

  std::string label(const Options& options) const {
    return options.other_threads ? fmt::format("{}, {} thread{}", path, threads, threads == 1 ? "" : "s") : path;
  }
  double run(const std::vector<Tensor>& inputs) {
    const Clock::time_point start = Clock::now();
    executor->run(inputs);
    return seconds_since(start);
  }
};

RandomInputs inputs_for(const Options& options, const Program& program) {
  if (options.data.path.empty()) return random_inputs(program, options.batch);
  const Batches batches = open_batches(program, options.data, options, Batches::Remainder::pad);
  return {batches.batch(0), batches.whole() ? 1 : batches.samples_in(0)};
}

void load_contender(Contender& contender, const Options& options) {
  const Clock::time_point start = Clock::now();
  contender.program = load(contender.path);
  contender.load_seconds = seconds_since(start);
  ExecutorOptions executor = options.executor();
  executor.threads = contender.threads;
  executor.refuse_nan = true;
  contender.executor = make_executor(contender.program, executor);
}

void warm_up(Contender& contender, const std::vector<Tensor>& inputs) {
  contender.first_run_seconds = contender.run(inputs);
  for (int i = 0; i < kWarmUps; ++i) contender.run(inputs);
}

// Runs the contenders in turn, so that whatever else the machine does meets all of them alike.
void measure(std::deque<Contender>& contenders, const std::vector<Tensor>& inputs, const Options& options) {
  constexpr double kMilliseconds = 1e3;
  const double budget = options.seconds * static_cast<double>(contenders.size());
  const auto total = options.runs.value_or(static_cast<std::int64_t>(budget * kMilliseconds));
  Progress progress(options.runs ? "bench" : "bench, ms", total, !options.quiet);
  const Clock::time_point start = Clock::now();
  std::int64_t shown = 0;
  for (std::int64_t i = 0; options.runs ? i < *options.runs : i < kLeast || seconds_since(start) < budget; ++i) {
    for (Contender& contender : contenders) contender.timings.add(contender.run(inputs));
    const auto spent = static_cast<std::int64_t>(seconds_since(start) * kMilliseconds);
    const std::int64_t done = options.runs ? i + 1 : std::min(spent, total);
    progress.advance(done - shown);
    shown = done;
  }
}

void profile(Contender& contender, const std::vector<Tensor>& inputs) {
  constexpr std::int64_t kProfiledRuns = 20;
  std::vector<std::vector<StepTime>> runs;
  contender.executor->set_profiling(true);
  for (std::int64_t i = 0; i < std::min(kProfiledRuns, contender.timings.count()); ++i) {
    contender.run(inputs);
    runs.push_back(contender.executor->step_times());
  }
  contender.steps = median_steps(runs);
}

constexpr double kGiga = 1e9;

int cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

std::int64_t operations_of(const std::vector<StepTime>& steps) {
  std::int64_t sum = 0;
  for (const StepTime& step : steps) sum += step.operations;
  return sum;
}

// The int8 peak of a contender's threads; what other kernels do is no share of it.
struct Peak {
  double per_second = 0;

  std::string rate(std::int64_t operations, double seconds) const {
    return operations == 0 ? "" : fmt::format("{:.0f}", static_cast<double>(operations) / seconds / kGiga);
  }
  std::string share(const std::string& kind, std::int64_t operations, double seconds) const {
    return operations == 0 || !kind.starts_with("int8:")
               ? ""
               : percent(static_cast<double>(operations) / seconds, per_second);
  }
};

double sum_of(const std::vector<StepTime>& steps) {
  double sum = 0;
  for (const StepTime& step : steps) sum += step.seconds;
  return sum;
}

Json contender_json(const Contender& contender, const Options& options, std::int64_t samples) {
  Json json = {{"model", contender.path},
               {"threads", contender.threads > 0 ? contender.threads : cores()},
               {"runs", contender.timings.count()},
               {"median_seconds", contender.timings.median()},
               {"min_seconds", contender.timings.min()},
               {"p90_seconds", contender.timings.p90()},
               {"samples_per_second", static_cast<double>(samples) / contender.timings.median()},
               {"load_seconds", contender.load_seconds},
               {"first_run_seconds", contender.first_run_seconds},
               {"memory_bytes", contender.memory_bytes}};
  if (options.per_op) {
    json["per_op"] = Json::array();
    for (const OpTime& op : times_by_op(contender.steps, contender.program))
      json["per_op"].push_back({{"op", op.op},
                                {"kernel", op.kind},
                                {"count", op.count},
                                {"seconds", op.seconds},
                                {"operations", op.operations}});
  }
  if (options.per_node) {
    json["per_node"] = Json::array();
    for (const StepTime& step : contender.steps)
      json["per_node"].push_back(
          {{"node", step.node}, {"kernel", step.kind}, {"seconds", step.seconds}, {"operations", step.operations}});
  }
  return json;
}

std::string overview(const std::deque<Contender>& contenders, const Options& options, std::int64_t samples) {
  Table table({{"program"},
               {"median", true},
               {"min", true},
               {"p90", true},
               {"samples/s", true},
               {"load", true},
               {"first run", true},
               {"memory", true}});
  for (const Contender& contender : contenders) {
    const Timings& timings = contender.timings;
    table.add({contender.label(options), milliseconds(timings.median()), milliseconds(timings.min()),
               milliseconds(timings.p90()),
               grouped(static_cast<std::int64_t>(static_cast<double>(samples) / timings.median())),
               milliseconds(contender.load_seconds), milliseconds(contender.first_run_seconds),
               megabytes(contender.memory_bytes)});
  }
  return table.to_string();
}

void print_steps(const Contender& contender, const Options& options, double int8_peak) {
  const double total = sum_of(contender.steps);
  const Peak peak = {int8_peak * (contender.threads > 0 ? contender.threads : cores())};
  const auto print = [&](const Table& table) {
    fmt::print("\n{}, {} in steps, {} GOPS; the int8 peak of its threads is {:.0f}:\n{}", contender.label(options),
               milliseconds(total), peak.rate(operations_of(contender.steps), total), peak.per_second / kGiga,
               table.to_string());
  };
  if (options.per_op) {
    Table table(
        {{"op"}, {"kernel"}, {"count", true}, {"time", true}, {"share", true}, {"GOPS", true}, {"of peak", true}});
    for (const OpTime& op : times_by_op(contender.steps, contender.program))
      table.add({op.op, op.kind, grouped(op.count), milliseconds(op.seconds), percent(op.seconds, total),
                 peak.rate(op.operations, op.seconds), peak.share(op.kind, op.operations, op.seconds)});
    print(table);
  }
  if (options.per_node) {
    Table table({{"node"}, {"kernel"}, {"time", true}, {"share", true}, {"GOPS", true}, {"of peak", true}});
    for (const StepTime& step : contender.steps)
      table.add({step.node, step.kind, milliseconds(step.seconds), percent(step.seconds, total),
                 peak.rate(step.operations, step.seconds), peak.share(step.kind, step.operations, step.seconds)});
    print(table);
  }
}

void print_report(const std::deque<Contender>& contenders, const Options& options, std::int64_t samples) {
  const double int8_peak = options.per_op || options.per_node ? measure_int8_peak() : 0;
  const int threads = options.threads > 0 ? options.threads : cores();
  const std::string_view executor = options.executor_kind;
  const bool compares = contenders.size() == 2;
  const double speedup = contenders.back().timings.median() / contenders.front().timings.median();
  if (options.json) {
    Json programs = Json::array();
    for (const Contender& contender : contenders) programs.push_back(contender_json(contender, options, samples));
    Json json = {{"samples_per_run", samples}, {"threads", threads}, {"executor", executor}, {"programs", programs}};
    if (int8_peak > 0) json["int8_peak_per_thread"] = int8_peak;
    if (compares) json["speedup"] = speedup;
    print_json(json);
    return;
  }
  if (options.quiet) return;
  fmt::print("{} runs of {} sample{}, {} thread{}, {} executor\n\n{}", grouped(contenders[0].timings.count()), samples,
             samples == 1 ? "" : "s", threads, threads == 1 ? "" : "s", executor,
             overview(contenders, options, samples));
  if (compares)
    fmt::print("\n{} {} {:.2f} times as {} {} (medians, run in turn)\n", contenders.front().label(options),
               speedup < 1 ? "takes" : "is", speedup < 1 ? 1 / speedup : speedup, speedup < 1 ? "long as" : "fast as",
               contenders.back().label(options));
  for (const Contender& contender : contenders) print_steps(contender, options, int8_peak);
}

void bench(const Options& options) {
  if (!options.trace.empty()) check_program_output(options.trace, {".json"});
  std::deque<Contender> contenders;  // executors hold on to their programs, which must not move
  const auto add = [&](const std::string& path, int threads) {
    Contender& contender = contenders.emplace_back();
    contender.path = path;
    contender.threads = threads;
  };
  add(options.model, options.threads);
  if (!options.other.empty()) add(options.other, options.threads);
  if (options.other_threads) add(options.model, *options.other_threads);
  RandomInputs inputs;
  for (Contender& contender : contenders) {
    const std::int64_t before = resident_memory();
    Steps steps;
    steps.measure("warm up", [&] {
      load_contender(contender, options);
      if (inputs.inputs.empty()) inputs = inputs_for(options, contender.program);
      warm_up(contender, inputs.inputs);
    });
    contender.memory_bytes = std::max<std::int64_t>(0, steps.costs()[0].peak_bytes - before);
  }
  measure(contenders, inputs.inputs, options);
  std::vector<Trace> traces;
  for (Contender& contender : contenders) {
    if (options.profiles()) profile(contender, inputs.inputs);
    traces.push_back({contender.path, contender.steps});
  }
  if (!options.trace.empty()) save_text(options.trace, chrome_trace(traces));
  print_report(contenders, options, inputs.samples);
}

}  // namespace

void add_bench(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command =
      add_command(app, "bench", "Measures how fast a program runs, alone or in turn with another one.",
                  "  qdq bench net.int8.pt2 --vs net.pt2\n"
                  "  qdq bench net.int8.pt2 --vs net.pt2 --input images.npz --batch 32 --threads 1\n"
                  "  qdq bench net.int8.pt2 --per-op --trace trace.json\n"
                  "      where the time goes; the trace opens in chrome://tracing and ui.perfetto.dev\n"
                  "\n"
                  "median, min, p90  time of one run; the first run, which plans, and two more are not counted\n"
                  "memory            the most memory that loading and running the program added\n"
                  "GOPS              10^9 multiplications and additions per second, of convolutions and products\n"
                  "of peak           of what the int8 kernels reach on this machine with their operands in the\n"
                  "                  first-level cache, which is measured; above 100 % where 3 x 3 taps need fewer\n"
                  "                  products than they have (int8:winograd)\n"
                  "\n"
                  "Programs given with --vs run in turn, in one process, on the same inputs: what else the machine\n"
                  "does meets both. Step times of --per-op are medians of up to 20 runs of their own.");
  command.add_option("model", options->model, "Program to measure")->required()->type_name("MODEL");
  CLI::Option* other = command.add_option("--vs", options->other, "A program to compare with")->type_name("OTHER");
  command.add_option("--vs-threads", options->other_threads, "Compare with the same program on so many threads")
      ->check(CLI::Range(1, 1 << 16))
      ->excludes(other)
      ->type_name("N");
  command
      .add_option(
          "-i,--input", options->data.path,
          "Take the first batch of this .npy, .npz or .safetensors (default: random values of the program's sizes)")
      ->type_name("DATA");
  command
      .add_option("--batch", options->batch,
                  "Samples in one run (default: the program's own number where it is fixed, else 1; with --input 8)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 31))
      ->type_name("N");
  CLI::Option* runs = command.add_option("--runs", options->runs, "Number of runs to measure")
                          ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31))
                          ->type_name("N");
  command.add_option("--seconds", options->seconds, "How long each program is measured (default: 3), 5 runs at least")
      ->check(CLI::Range(0.0, 1e6))
      ->check([](const std::string& text) -> std::string {  // which Range lets through
        return std::isnan(std::strtod(text.c_str(), nullptr)) ? "a number expected, found " + text : "";
      })
      ->type_name("S")
      ->excludes(runs);
  command.add_flag("--per-op", options->per_op, "Time by op and kernel, the slowest first");
  command.add_flag("--per-node", options->per_node, "Time of each step, in running order");
  command.add_option("--trace", options->trace, "Write the steps of a run as a Chrome trace")->type_name("FILE.json");
  add_executor_options(command, *options);
  add_image_options(command, options->data);
  command.callback([options] { bench(*options); });
}

}  // namespace qdq::cli
