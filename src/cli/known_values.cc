#include "cli/known_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "qdq/pass_manager.h"

namespace qdq::cli {

// In the place and the form of CLI::IsMember: behind the name of the type, "NAME:{xnnpack,x86}".
CLI::Option* with_known_values(CLI::Option* option, const std::vector<std::string>& values) {
  return option->check(
      CLI::Validator([](std::string&) { return std::string(); }, fmt::format("{{{}}}", fmt::join(values, ","))));
}

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const NamedPass& pass : all_passes()) names.emplace_back(pass.name);
  return names;
}

std::vector<std::string> known_values(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find(":{");
  const std::size_t close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return {};
  return CLI::detail::split(type.substr(open + 2, close - open - 2), ',');
}

}  // namespace qdq::cli
