#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "qdq/statistics.h"

namespace qdq::cli {
namespace {

struct Options {
  std::vector<std::string> parts;
  std::string output;
  bool json = false;
  bool quiet = false;
};

void merge(const Options& options) {
  check_statistics_output(options.output);
  std::vector<NamedStatistics> parts;
  for (const std::string& path : options.parts) parts.push_back({path, load_statistics(path)});
  const Statistics merged = merge_statistics(parts);
  save_statistics_file(merged, options.output);
  std::vector<std::string> shards;
  for (const Shard& shard : merged.shards) shards.push_back(to_string(shard));
  if (options.json)
    print_json({{"output", options.output},
                {"parts", options.parts},
                {"samples", merged.samples},
                {"observers", merged.observers.size()},
                {"shards", shards}});
  else if (!options.quiet)
    fmt::print("{}: {} observers, {} samples{}\n", options.output, merged.observers.size(), grouped(merged.samples),
               shards.empty() ? "" : fmt::format(", {} of {} shards", shards.size(), merged.shards.front().count));
}

}  // namespace

void add_merge(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = add_command(
      app, "merge",
      "Adds up the statistics of calibrations that ran apart from each other, on parts of the data or on other data, "
      "as if one run had seen everything.",
      "  qdq calibrate net.pt2 --data images.npz --observer MSEObserver --shard 1/2 -o a.safetensors\n"
      "  qdq calibrate net.pt2 --data images.npz --observer MSEObserver --shard 2/2 -o b.safetensors\n"
      "  qdq merge a.safetensors b.safetensors -o all.safetensors\n"
      "      the same bytes as without --shard\n"
      "\n"
      "Program, quantizer, options, batch size and executor must be the same. Observers whose state\n"
      "depends on the order of the values (moving averages, PyTorch's histogram) are refused.");
  command.add_option("statistics", options->parts, "What 'qdq calibrate' wrote")
      ->required()
      ->type_name("STATS.safetensors");
  command.add_option("-o,--output", options->output, "Where the sum goes")->required()->type_name("OUT.safetensors");
  add_json_option(command, options->json);
  command.add_flag("-q,--quiet", options->quiet, "No summary");
  command.callback([options] { merge(*options); });
}

}  // namespace qdq::cli
