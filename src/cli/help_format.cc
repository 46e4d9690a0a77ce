#include "cli/help_format.h"

#include <fmt/format.h>

namespace qdq::cli {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kOptionColumn = 28;

}  // namespace

std::string wrap(const std::string& text, std::size_t width) {
  std::string result;
  std::size_t column = 0;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    if (column > 0 && column + 1 + word.size() > width) {
      result += '\n';
      column = 0;
    } else if (column > 0) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
    start = end + 1;
  }
  return result;
}

HelpFormatter::HelpFormatter() { column_width(kOptionColumn); }

// CLI11 appends what its validators say to the name of the type: "N:INT in [1 - 1024]".
std::string type_of(const CLI::Option* option) {
  const std::string type = option->get_type_name();
  return type.substr(0, type.find(':'));
}

std::string usage_of(const CLI::App* app, const std::string& name) {
  std::string usage = name;
  for (const CLI::Option* option : app->get_options())
    if (option->get_positional()) usage += " " + type_of(option);
  for (const CLI::Option* option : app->get_options())
    if (!option->get_positional() && option->get_required())
      usage += fmt::format(" --{} {}", option->get_lnames().front(), type_of(option));
  return usage +
         (app->get_subcommands([](const CLI::App*) { return true; }).empty() ? " [OPTIONS]" : " COMMAND [OPTIONS]");
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  return "Usage: " + usage_of(app, name) + "\n";
}

std::string HelpFormatter::make_description(const CLI::App* app) const {
  return wrap(app->get_description(), kWidth) + "\n\n";
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  return option->get_type_size() == 0 ? "" : " " + type_of(option);
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  return wrap(option->get_description(), kWidth - kOptionColumn);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  std::stringstream out;
  CLI::detail::format_help(out, command->get_name(), wrap(command->get_description(), kWidth - kOptionColumn),
                           kOptionColumn);
  return out.str();
}

}  // namespace qdq::cli
