#include "cli/usage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "cli/files.h"

namespace qdq::cli {

ExecutorOptions RunOptions::executor() const {
  ExecutorOptions options;
  options.kind = executor_kind == "reference" ? ExecutorOptions::Kind::reference : ExecutorOptions::Kind::fast;
  options.simulate_quantization = executor_kind == "simulated";
  options.threads = threads;
  return options;
}

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& description,
                      const std::string& examples) {
  CLI::App* command = app.add_subcommand(name, description);
  command->group("Commands");
  command->footer("Examples:\n" + examples);
  return *command;
}

void add_json_option(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Print the summary as JSON on standard output, for other programs");
}

void add_run_options(CLI::App& command, RunOptions& options) {
  command
      .add_option("--batch", options.batch,
                  "Samples in one call (default: the program's own number where it is fixed, else 8). 0 takes the "
                  "arrays as they are, for programs without a dimension for samples")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 31))
      ->type_name("N");
  command.add_option("--samples", options.samples, "Use only the first N samples")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40))
      ->type_name("N");
  add_executor_options(command, options);
}

void add_executor_options(CLI::App& command, RunOptions& options) {
  command.add_option("--threads", options.threads, "Threads to compute with (default: all cores)")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  command
      .add_option("--executor", options.executor_kind,
                  "'fast' (the default) has optimised kernels, in int8 where the program is quantized; 'simulated' "
                  "computes quantized ops in float, as PyTorch does; 'reference' is the plain interpreter that judges "
                  "them")
      ->check(CLI::IsMember({"fast", "simulated", "reference"}))
      ->type_name("KIND");
  add_json_option(command, options.json);
  command.add_flag("-q,--quiet", options.quiet, "No progress bar and no summary");
}

void check_output(const std::string& path) {
  const std::filesystem::path file(path);
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  if (!std::filesystem::is_directory(folder))
    throw UsageError(fmt::format("cannot write {}: there is no folder {}", path, folder.string()));
  if (std::filesystem::is_directory(file)) throw UsageError(fmt::format("cannot write {}: it is a folder", path));
}

void check_program_output(const std::string& path, const std::vector<std::string>& extensions) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (std::find(extensions.begin(), extensions.end(), extension) == extensions.end())
    throw UsageError(
        fmt::format("cannot write {}: expected a name that ends in {}", path, fmt::join(extensions, " or ")));
  check_output(path);
}

void check_statistics_output(const std::string& path) { check_program_output(path, {".safetensors"}); }

void check_array_output(const std::string& path, std::size_t arrays) {
  if (!is_array_name(path))
    throw UsageError(fmt::format("cannot write {}: expected a name that ends in .npy, .npz or .safetensors", path));
  if (std::filesystem::path(path).extension() == ".npy" && arrays != 1)
    throw UsageError(
        fmt::format("cannot write {}: a .npy file holds one array and the program has {} outputs", path, arrays));
  check_output(path);
}

}  // namespace qdq::cli
