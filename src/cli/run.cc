#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/batches.h"
#include "cli/commands.h"
#include "cli/data_options.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/steps.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "qdq/executor.h"

namespace qdq::cli {
namespace {

struct Options : RunOptions {
  std::string model;
  DataOptions data;
  std::string output;
};

void print_summary(const Options& options, const Arrays& results, std::int64_t samples, const Steps& steps) {
  if (options.json) {
    Json outputs = Json::array();
    for (const auto& [result, value] : results)
      outputs.push_back({{"name", result}, {"dtype", std::string(name(value.dtype()))}, {"shape", value.sizes()}});
    print_json({{"model", options.model},
                {"output", options.output},
                {"samples", samples},
                {"outputs", outputs},
                {"steps", steps_json(steps.costs())}});
    return;
  }
  Table table({{"output"}, {"dtype"}, {"shape"}});
  for (const auto& [result, value] : results)
    table.add({result, std::string(name(value.dtype())), to_string(value.sizes())});
  fmt::print("{}: {} samples\n\n{}\n{}", options.output, grouped(samples), table.to_string(),
             steps_table(steps.costs()));
}

void run(const Options& options) {
  Steps steps;
  const Program program = steps.measure("load", [&] { return load(options.model); });
  check_array_output(options.output, output_names(program).size());
  const Batches batches = open_batches(program, options.data, options, Batches::Remainder::pad);
  ExecutorOptions executor_options = options.executor();
  executor_options.refuse_nan = true;
  const auto executor = steps.measure("plan", [&] { return make_executor(program, executor_options); });
  Collector collector(program, batches.samples(), batches.whole());
  steps.measure("run", [&] {
    Progress progress("run", batches.samples(), !options.quiet);
    for (std::int64_t i = 0; i < batches.count(); ++i) {
      collector.add(executor->run(batches.batch(i)), batches.samples_in(i));
      progress.advance(batches.samples_in(i));
    }
  });
  steps.measure("save", [&] { save_arrays(options.output, collector.arrays()); });
  if (!options.quiet || options.json) print_summary(options, collector.arrays(), batches.samples(), steps);
}

}  // namespace

void add_run(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = add_command(
      app, "run", "Runs a program, float or quantized, on samples from a file and writes its outputs to a file.",
      "  qdq run net.pt2 --input images.npz --output scores.npy\n"
      "  qdq run net.int8.pt2 --input images.npz --output scores.npz --batch 32 --threads 1\n"
      "  qdq run net.pt2 --input state.npz --output out.npz --batch 0\n"
      "      one call with the arrays as they are\n"
      "\n"
      "Inputs are found as for 'qdq quantize --calibrate'. Outputs are named after the ops that\n"
      "make them; those of all batches are put together along the first dimension.");
  command.add_option("model", options->model, "Program to run")->required()->type_name("MODEL");
  command.add_option("-i,--input", options->data.path, "Samples: a .npy, .npz or .safetensors, or a folder")
      ->required()
      ->type_name("DATA");
  command.add_option("-o,--output", options->output, "Where the results go: .npy, .npz or .safetensors")
      ->required()
      ->type_name("FILE");
  add_run_options(command, *options);
  add_image_options(command, options->data);
  command.callback([options] { run(*options); });
}

}  // namespace qdq::cli
