#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/known_values.h"
#include "cli/report.h"
#include "cli/suggest.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/text_diff.h"
#include "cli/usage.h"
#include "qdq/graph_text.h"
#include "qdq/io.h"
#include "qdq/pass_manager.h"

namespace qdq::cli {
namespace {

struct Options {
  std::string model;
  std::string output;
  std::vector<std::string> passes;
  bool list = false;
  bool diff = false;
  bool full = false;
  bool json = false;
  bool quiet = false;
};

void list_passes(bool json) {
  Json rows = Json::array();
  Table table({{"pass"}, {"what it does"}});
  for (const NamedPass& pass : all_passes()) {
    rows.push_back({{"name", pass.name}, {"description", pass.description}});
    table.add({std::string(pass.name), std::string(pass.description)});
  }
  if (json) return print_json(rows);
  fmt::print("{}", table.to_string());
}

PassManager manager_of(const std::vector<std::string>& names) {
  PassOptions options;
  options.verify = true;  // a graph that a pass breaks is news, in every build
  PassManager manager(options);
  for (const std::string& name : names) {
    const NamedPass* pass = find_pass(name);
    if (pass == nullptr) {
      std::vector<std::string> known;
      for (const NamedPass& each : all_passes()) known.emplace_back(each.name);
      throw UsageError(fmt::format("--pass {}: there is no such pass{} ('qdq pass --list' lists them)", name,
                                   did_you_mean(pass_name(name), known)));
    }
    manager.add(std::string(pass->name), pass->run);
  }
  return manager;
}

void print_summary(const Options& options, const std::vector<PassReport>& report, std::size_t before,
                   std::size_t after) {
  if (options.json) {
    Json passes = Json::array();
    for (const PassReport& pass : report)
      passes.push_back({{"name", pass.name}, {"changed", pass.changed}, {"seconds", pass.seconds}});
    Json json = {{"model", options.model}, {"passes", passes}, {"nodes_before", before}, {"nodes_after", after}};
    if (!options.output.empty()) json["output"] = options.output;
    return print_json(json);
  }
  if (options.quiet) return;
  // On standard output where nothing else is: the graph and the diff are results.
  const bool has_result = options.diff || options.output.empty();
  Table table({{"pass"}, {"changes", true}, {"time", true}});
  for (const PassReport& pass : report) table.add({pass.name, grouped(pass.changed), milliseconds(pass.seconds)});
  fmt::print(has_result ? stderr : stdout, "{}: {} nodes before, {} after\n\n{}", options.model,
             grouped(static_cast<std::int64_t>(before)), grouped(static_cast<std::int64_t>(after)),
             table.to_string(!has_result && stdout_has_colour()));
}

void pass(const Options& options) {
  if (options.list) return list_passes(options.json);
  if (options.model.empty()) throw UsageError("MODEL is missing: the program to change (or --list)");
  if (options.passes.empty()) throw UsageError("--pass is missing: the name of a pass; 'qdq pass --list' lists them");
  if (!options.output.empty()) check_program_output(options.output, {".pt2", ".onnx", ".graph"});
  const PassManager manager = manager_of(options.passes);
  Program program = load(options.model);
  const TextOptions form = options.full ? TextOptions::full() : TextOptions::with_attributes();
  const std::string text_before = options.diff ? to_text(program, form) : "";
  const std::size_t before = program.graph().size();
  const std::vector<PassReport> report = manager.run(program);
  if (!options.output.empty()) save_program(program, options.output);
  if (options.diff && !options.json) {
    fmt::print("{}", text_diff(text_before, to_text(program, form)));
  } else if (options.output.empty() && !options.json) {
    fmt::print("{}", to_text(program, form));
  }
  print_summary(options, report, before, program.graph().size());
}

}  // namespace

void add_pass(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command =
      add_command(app, "pass", "Runs passes on a program by their names and shows what they change.",
                  "  qdq pass --list\n"
                  "  qdq pass net.pt2 --pass fuse_conv_bn --pass eliminate_dead_code --diff\n"
                  "      what the folding changes, node by node\n"
                  "  qdq pass net.pt2 --pass fuse_conv_bn -o folded.pt2\n"
                  "  qdq pass net.graph --pass remove_identity -o after.graph\n"
                  "\n"
                  "Passes run in the order in which they are given; the graph is verified after each. Without -o and\n"
                  "--diff the graph goes to standard output, as text that 'qdq' reads again from a .graph file.");
  command.add_option("model", options->model, "Program to change: .pt2, .onnx, or a graph as text")->type_name("MODEL");
  with_known_values(command.add_option("-p,--pass", options->passes, "A pass to run; may be repeated"), pass_names())
      ->type_name("PASS")
      ->allow_extra_args(false);
  command.add_option("-o,--output", options->output, "Where the result goes: .pt2, .onnx or .graph")->type_name("OUT");
  command.add_flag("--list", options->list, "List the passes");
  command.add_flag("--diff", options->diff, "Show the lines of the graph that changed");
  command.add_flag("--full", options->full, "Show stack traces, module paths and all other metadata too");
  add_json_option(command, options->json);
  command.add_flag("-q,--quiet", options->quiet, "No summary");
  command.callback([options] { pass(*options); });
}

}  // namespace qdq::cli
