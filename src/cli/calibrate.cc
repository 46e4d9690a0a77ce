#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <memory>

#include "cli/calibration.h"
#include "cli/commands.h"
#include "cli/dry_run.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/steps.h"
#include "cli/table.h"

namespace qdq::cli {
namespace {

using Clock = std::chrono::steady_clock;

// When to write down how far calibration has come.
struct CheckpointEvery {
  std::optional<std::int64_t> samples;
  std::optional<double> seconds = 60;
};

struct Options : CalibrationOptions {
  std::string output;
  std::string shard_text;
  CheckpointEvery checkpoint_every;
  bool restart = false;

  std::string checkpoint() const { return output + ".checkpoint"; }
  std::vector<Shard> shards() const {
    return shard_text.empty() ? std::vector<Shard>() : std::vector<Shard>{shard_from_text(shard_text)};
  }
};

// "500" samples, "30s", "10m", "0" for never.
CheckpointEvery checkpoint_every(const std::string& text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  const std::string_view unit(read.ptr, static_cast<std::size_t>(end - read.ptr));
  const bool whole = number == static_cast<double>(static_cast<std::int64_t>(number));
  if (read.ec != std::errc() || !(number >= 0 && number < 1e15) || (unit != "" && unit != "s" && unit != "m") ||
      (unit.empty() && !whole))
    throw CLI::ValidationError("--checkpoint-every",
                               "expected samples or a time such as 500, 30s or 10m; found '" + text + "'");
  CheckpointEvery every{std::nullopt, std::nullopt};
  if (number == 0) return every;
  if (unit.empty())
    every.samples = static_cast<std::int64_t>(number);
  else
    every.seconds = unit == "m" ? 60 * number : number;
  return every;
}

// One calibration, from its first batch or from a checkpoint to its last.
class Job {
 public:
  Job(const Options& options, Steps& steps) : options_(options), memory_(options.max_memory, options.workers) {
    Program program = steps.measure("load", [&] { return load(options.model); });
    const auto quantizer = make_quantizer(options.quantizer, program, options.model);
    found_.shards = options.shards();
    feed_ = open_feed(program, options.data, options, found_.shards.empty() ? Shard() : found_.shards[0]);
    identify(program);
    PassOptions passes;
    passes.disabled = options.quantizer.disabled_passes;
    steps.measure("prepare", [&] { prepared_.emplace(prepare(std::move(program), *quantizer, passes)); });
    print_warnings(*prepared_);
  }

  void run() {
    set_executor(*prepared_, options_);
    if (!feed_->is_stream()) resume();
    Progress progress("calibrate", feed_->samples(), !options_.quiet, found_.samples);
    while (!feed_->is_at_end()) {
      // Waiting for a stream can be interrupted at any time: there is nothing to save.
      std::optional<HoldSignals> hold;
      if (!feed_->is_stream()) hold.emplace();
      calibrate_until_checkpoint(progress);
      if (!feed_->is_at_end()) save_checkpoint();
    }
    found_.is_complete = true;
    found_.data = feed_->identity();
    found_.observers = collect_statistics(*prepared_).observers;
  }

  void say_what_it_would_cost() {
    set_executor(*prepared_, options_);
    std::vector<std::string> files = {options_.output};
    const CheckpointEvery& every = options_.checkpoint_every;
    if (every.samples || every.seconds) files.push_back(options_.checkpoint());
    print_dry_run(options_.model, dry_run(*prepared_, feed_.get(), options_.workers), files, options_.json);
  }

  void save() const {
    save_statistics_file(found_, options_.output);
    std::error_code ignored;  // a checkpoint that stays is of a finished run, and the next one will say so
    std::filesystem::remove(options_.checkpoint(), ignored);
  }

  const Statistics& found() const { return found_; }
  std::int64_t resumed_at() const { return resumed_at_; }

 private:
  void identify(const Program& program) {
    std::vector<Shard> shards = std::move(found_.shards);
    found_ = calibration_identity(program, *feed_, options_);
    if (!feed_->is_stream()) found_.data = feed_->identity();  // of a stream, the end tells
    found_.shards = std::move(shards);
  }

  // Goes on from a checkpoint of this very calibration.
  void resume() {
    if (options_.restart || !std::filesystem::exists(options_.checkpoint())) return;
    const Statistics checkpoint = load_statistics(options_.checkpoint());
    if (const std::string why = why_not_resume(checkpoint); !why.empty()) {
      if (!options_.quiet)
        fmt::print(stderr, "qdq: note: {} is of another calibration ({} differ{}): starting from the beginning\n",
                   options_.checkpoint(), why, why.ends_with('s') ? "" : "s");
      return;
    }
    apply_statistics(*prepared_, checkpoint);
    found_.samples = resumed_at_ = checkpoint.samples;
    found_.batches = checkpoint.batches;
    feed_->start_at(checkpoint.batches);
    if (!options_.quiet)
      fmt::print(stderr, "qdq: note: going on after the {} samples of {}\n", grouped(resumed_at_),
                 options_.checkpoint());
  }

  std::string why_not_resume(const Statistics& checkpoint) const {
    if (checkpoint.program != found_.program) return "the program";
    if (checkpoint.recipe != found_.recipe) return "the quantizer's options";
    if (checkpoint.run != found_.run) return "batch size or executor";
    if (checkpoint.data != found_.data) return "the data";
    if (checkpoint.shards != found_.shards) return "the shard";
    const std::int64_t batches = checkpoint.batches;
    if (batches > *feed_->batches() || checkpoint.samples != feed_->samples_between(0, batches))
      return "the number of samples";
    return "";
  }

  void calibrate_until_checkpoint(Progress& progress) {
    const Clock::time_point start = Clock::now();
    const std::int64_t begin = found_.batches;
    const auto stop = [&](std::int64_t taken) {
      if (feed_->is_stream()) return false;
      const CheckpointEvery& every = options_.checkpoint_every;
      const std::chrono::duration<double> elapsed = Clock::now() - start;
      return HoldSignals::is_pending() || (every.seconds && elapsed.count() >= *every.seconds) ||
             (every.samples && feed_->samples_between(begin, begin + taken) >= *every.samples);
    };
    found_.batches +=
        calibrate_batches(*prepared_, *feed_, memory_, stop, [&](std::int64_t samples) { progress.advance(samples); });
    found_.samples += feed_->samples_between(begin, found_.batches);
  }

  void save_checkpoint() {
    found_.is_complete = false;
    found_.observers = collect_statistics(*prepared_).observers;
    save_statistics(options_.checkpoint(), found_);
    if (HoldSignals::is_pending() && !options_.quiet)
      fmt::print(stderr, "\nqdq: stopped after {} samples; the same command goes on from there\n",
                 grouped(found_.samples));
  }

  const Options& options_;
  MemoryLimit memory_;
  std::unique_ptr<Feed> feed_;
  std::optional<PreparedProgram> prepared_;
  Statistics found_;
  std::int64_t resumed_at_ = 0;
};

void print_summary(const Options& options, const Job& job, const Steps& steps) {
  const Statistics& found = job.found();
  if (options.json) {
    print_json({{"model", options.model},
                {"output", options.output},
                {"samples", found.samples},
                {"resumed_at", job.resumed_at()},
                {"observers", found.observers.size()},
                {"steps", steps_json(steps.costs())}});
    return;
  }
  fmt::print("{}: {} observers, {} samples\n\n{}", options.output, found.observers.size(), grouped(found.samples),
             steps_table(steps.costs()));
}

void calibrate(const Options& options) {
  check_statistics_output(options.output);
  Steps steps;
  if (options.dry_run && options.data.is_stream()) throw UsageError("--dry-run cannot look ahead on standard input");
  Job job(options, steps);
  if (options.dry_run) return job.say_what_it_would_cost();
  steps.measure("calibrate", [&] { job.run(); });
  steps.measure("save", [&] { job.save(); });
  if (!options.quiet || options.json) print_summary(options, job, steps);
}

}  // namespace

void add_calibrate(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = add_command(
      app, "calibrate",
      "Learns the ranges of values from data, as 'qdq quantize' does, and writes what the observers saw to a file. "
      "'qdq convert' makes the quantized program from it. A calibration that was interrupted goes on where it was.",
      "  qdq calibrate net.pt2 --data images.npz --per-channel -o stats.safetensors\n"
      "  qdq convert net.pt2 --statistics stats.safetensors -o net.int8.pt2\n"
      "  qdq calibrate net.pt2 --data images.npz --workers 4 --checkpoint-every 30s -o stats.safetensors\n"
      "      four batches at a time; if it is killed, the same command loses 30 seconds at most\n"
      "  qdq calibrate net.pt2 --data images.npz --shard 2/8 -o part2.safetensors\n"
      "      every eighth batch; 'qdq merge' adds the parts up\n"
      "  python3 make_batches.py | qdq calibrate net.pt2 --data - -o piped.safetensors\n"
      "      .npy files one after the other, one for each batch\n"
      "  qdq calibrate net.pt2 --data images.npz --workers 2 --dry-run -o stats.safetensors\n"
      "      time and memory, measured on the first batches\n"
      "  qdq calibrate net.pt2 --data images.npz --workers 8 --max-memory 2GB -o stats.safetensors\n"
      "      as many of the 8 workers as fit\n"
      "\n"
      "Data is found as for 'qdq quantize --calibrate'. Checkpoints are in a file beside the output,\n"
      "STATS.safetensors.checkpoint, which goes away at the end.");
  command.add_option("model", options->model, "Program saved by torch.export.save, or .onnx")
      ->required()
      ->type_name("MODEL");
  command.add_option("-d,--data", options->data.path, "Typical inputs, from which the ranges are learned")
      ->required()
      ->type_name("DATA");
  command.add_option("-o,--output", options->output, "Where the statistics go")
      ->required()
      ->type_name("STATS.safetensors");
  command.add_option("--shard", options->shard_text, "See only part I of N: every N-th batch, beginning with the I-th")
      ->check([](const std::string& text) {
        try {
          shard_from_text(text);
          return std::string();
        } catch (const InvalidArgumentError& error) {
          return std::string(error.what());
        }
      })
      ->type_name("I/N");
  command
      .add_option_function<std::string>(
          "--checkpoint-every",
          [options](const std::string& text) { options->checkpoint_every = checkpoint_every(text); },
          "Samples, or time (30s, 10m), after which to write down how far it has come; 0 for never (default: 60s)")
      ->type_name("N");
  command.add_flag("--restart", options->restart, "Start from the beginning, whatever checkpoint there is");
  add_calibration_options(command, *options);
  command.callback([options] { calibrate(*options); });
}

}  // namespace qdq::cli
