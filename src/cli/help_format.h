#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace qdq::cli {

// The help texts: the usage line names what is required, options show their value's name and nothing of CLI11's type
// notes, and descriptions are wrapped to fit 100 columns.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_description(const CLI::App* app) const override;
  std::string make_positionals(const CLI::App*) const override { return ""; }  // the usage line has them
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;
};

// The name of the option's value, "N", without what CLI11's validators append to it.
std::string type_of(const CLI::Option* option);
// "qdq run MODEL.pt2 --input DATA [OPTIONS]" for the command called `name`.
std::string usage_of(const CLI::App* app, const std::string& name);

// Breaks `text` at spaces so that no line is longer than `width`, where words allow it.
std::string wrap(const std::string& text, std::size_t width);

}  // namespace qdq::cli
