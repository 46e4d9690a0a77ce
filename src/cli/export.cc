#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "qdq/io.h"

namespace qdq::cli {
namespace {

struct Options {
  std::string model;
  std::string output;
  SaveOptions save;
  std::vector<const CLI::Option*> of_onnx;  // those that say something to ONNX files only
  bool json = false;
  bool quiet = false;
};

void export_program(const Options& options) {
  check_program_output(options.output, {".onnx", ".pt2", ".graph"});
  for (const CLI::Option* option : options.of_onnx)
    if (option->count() > 0 && !options.output.ends_with(".onnx"))
      throw UsageError(fmt::format("{} is about ONNX files; {} is none", option->get_name(), options.output));
  const Program program = load(options.model);
  save_program(program, options.output, options.save);
  const std::int64_t bytes = file_size(options.output);
  if (options.json) return print_json({{"model", options.model}, {"output", options.output}, {"bytes", bytes}});
  if (!options.quiet) fmt::print("{}: {} bytes\n", options.output, grouped(bytes));
}

}  // namespace

void add_export(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command =
      add_command(app, "export", "Writes a program in another format: ONNX for other runtimes, .pt2, or text.",
                  "  qdq export net.int8.pt2 net.int8.onnx\n"
                  "  qdq export net.pt2 net.onnx --opset 17\n"
                  "  qdq export net.onnx net.pt2\n"
                  "      and back: the same outputs and quantization parameters\n"
                  "\n"
                  "Quantized programs become QuantizeLinear and DequantizeLinear nodes with weights stored as\n"
                  "integers. More than 2 GB of weights go to OUT.data beside the file. docs/onnx.md lists the ops.");
  command.add_option("model", options->model, "Program to write: .pt2, .onnx, or a graph as text")
      ->required()
      ->type_name("MODEL");
  command.add_option("output", options->output, "Where it goes: .onnx, .pt2 or .graph")->required()->type_name("OUT");
  options->of_onnx = {
      command.add_option("--opset", options->save.opset, "Version of ONNX's operators, 13 to 23")
          ->capture_default_str()
          ->check(CLI::Range(13, 23))
          ->type_name("N"),
      command.add_flag(
          "--keep-int8", options->save.keep_int8,
          "Write activations in int8 as int8. By default they become uint8 with a zero point higher by 128: the "
          "same numbers, for runtimes whose kernels want them so"),
      command.add_flag(
          "--round-biases", options->save.round_biases,
          "Round biases to multiples of input scale times weight scale, which is all that ONNX Runtime keeps of "
          "them: its int8 kernels then compute what the file says")};
  add_json_option(command, options->json);
  command.add_flag("-q,--quiet", options->quiet, "No summary");
  command.callback([options] { export_program(*options); });
}

}  // namespace qdq::cli
