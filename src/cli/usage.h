#pragma once
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "qdq/executor.h"

namespace CLI {
class App;
}

namespace qdq::cli {

// A command line that cannot be meant: exit code 2, with a pointer to the help.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What the commands that run a program have in common.
struct RunOptions {
  std::optional<std::int64_t> batch;
  std::optional<std::int64_t> samples;
  int threads = 0;
  std::string executor_kind = "fast";  // "fast", "simulated" or "reference"
  bool json = false;
  bool quiet = false;

  ExecutorOptions executor() const;
};

// A subcommand with help that ends in `examples`.
CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& description,
                      const std::string& examples);
void add_run_options(CLI::App& command, RunOptions& options);
void add_executor_options(CLI::App& command, RunOptions& options);  // those of add_run_options but for the samples
void add_json_option(CLI::App& command, bool& json);

// Each throws UsageError for a file that could not be written at the end: before the work and not after it.
void check_program_output(const std::string& path, const std::vector<std::string>& extensions = {".pt2", ".onnx"});
void check_statistics_output(const std::string& path);
void check_array_output(const std::string& path, std::size_t arrays);
void check_output(const std::string& path);  // any kind of file

}  // namespace qdq::cli
