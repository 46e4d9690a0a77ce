#include "cli/from_statistics.h"

#include <fmt/format.h>

namespace qdq::cli {

OpenedStatistics open_statistics(const std::string& file, const Program& program, const std::string& model,
                                 bool quiet) {
  Statistics statistics = load_statistics(file);
  const std::string found = fingerprint(program);
  if (statistics.program != found)
    throw InvalidArgumentError(
        fmt::format("{} belongs to another program: it was made for one with the fingerprint {}, {} has {}", file,
                    statistics.program, model, found));
  if (!statistics.is_complete)
    throw InvalidArgumentError(
        fmt::format("{}: calibration stopped after {} samples; run the same 'qdq calibrate' again to end it", file,
                    statistics.samples));
  if (!statistics.shards.empty() && !quiet) {
    std::string shards;
    for (const Shard& shard : statistics.shards) shards += (shards.empty() ? "" : ", ") + to_string(shard);
    fmt::print(stderr, "qdq: note: {} has seen the shards {} only; 'qdq merge' adds others\n", file, shards);
  }
  const Json recipe = Json::parse(statistics.recipe, nullptr, false);  // what is no JSON is no object either
  QuantizerOptions options = recipe_from_json(recipe, file);
  return {file, std::move(statistics), std::move(options)};
}

PassOptions OpenedStatistics::passes() const {
  PassOptions passes;
  passes.disabled = recipe.disabled_passes;
  return passes;
}

PreparedProgram OpenedStatistics::prepare(Program program, const std::string& model) const {
  const auto quantizer = make_quantizer(recipe, program, model);
  return qdq::prepare(std::move(program), *quantizer, passes());
}

void OpenedStatistics::apply(PreparedProgram& prepared) const {
  try {
    apply_statistics(prepared, statistics);
  } catch (const InvalidArgumentError& error) {
    throw InvalidArgumentError(fmt::format("{}: {}", file, error.what()));
  }
}

}  // namespace qdq::cli
