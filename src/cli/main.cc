// The qdq program: reads the command line, runs one subcommand, turns errors into messages and exit codes.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>

#include "cli/commands.h"
#include "cli/help_format.h"
#include "cli/suggest.h"
#include "cli/usage.h"
#include "qdq/error.h"
#include "qdq/version.h"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kOurBug = 5;

int report(const char* message, int code) {
  std::fprintf(stderr, "qdq: error: %s\n", message);
  return code;
}

int report_lost_output() { return report("cannot write to standard output", kFailed); }

int report_usage(const char* message, const CLI::App& app) {
  // The help of the subcommand that was asked for, if the command line got that far.
  std::string help = "qdq --help";
  for (const CLI::App* command : app.get_subcommands()) help = "qdq " + command->get_name() + " --help";
  std::string text = message;
  if (const std::string unexpected = qdq::cli::explain_unexpected(app); !unexpected.empty()) text = unexpected;
  std::fprintf(stderr, "qdq: error: %s\nSee '%s'.\n", text.c_str(), help.c_str());
  return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Quantizes neural networks that torch.export captured, and runs them.", "qdq");
  app.formatter(std::make_shared<qdq::cli::HelpFormatter>());
  app.footer(
      "'qdq COMMAND --help' explains a command with examples. Exit codes: 0 ok, 1 failed, 2 usage,\n"
      "3 bad file, 4 unsupported op, 5 a bug in qdq.");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("--version", "qdq " QDQ_VERSION, "Print the version and exit");
  app.require_subcommand(1);
  qdq::cli::add_quantize(app);
  qdq::cli::add_calibrate(app);
  qdq::cli::add_merge(app);
  qdq::cli::add_convert(app);
  qdq::cli::add_run(app);
  qdq::cli::add_compare(app);
  qdq::cli::add_diagnose(app);
  qdq::cli::add_inspect(app);
  qdq::cli::add_explain(app);
  qdq::cli::add_export(app);
  qdq::cli::add_report(app);
  qdq::cli::add_bench(app);
  qdq::cli::add_pass(app);
  qdq::cli::add_completions(app);
  qdq::cli::add_manual(app);
  try {
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) return report_lost_output();
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return report_usage(error.what(), app);
  } catch (const qdq::cli::UsageError& error) {
    return report_usage(error.what(), app);
  } catch (const qdq::Error& error) {
    return report(error.what(), qdq::exit_code(error.code()));
  } catch (const std::bad_alloc&) {
    return report("out of memory", kFailed);
  } catch (const std::exception& error) {
    if (std::ferror(stdout)) return report_lost_output();  // fmt throws what the system says
    return report(error.what(), kOurBug);
  }
}
