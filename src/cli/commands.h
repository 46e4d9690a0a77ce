#pragma once

namespace CLI {
class App;
}

namespace qdq::cli {

// Each adds its subcommand to the program. The subcommand's callback does the work and throws qdq::Error, or UsageError
// for a command line that makes no sense.
void add_quantize(CLI::App& app);
void add_calibrate(CLI::App& app);
void add_merge(CLI::App& app);
void add_convert(CLI::App& app);
void add_run(CLI::App& app);
void add_compare(CLI::App& app);
void add_diagnose(CLI::App& app);
void add_inspect(CLI::App& app);
void add_explain(CLI::App& app);
void add_export(CLI::App& app);
void add_report(CLI::App& app);
void add_bench(CLI::App& app);
void add_pass(CLI::App& app);
void add_completions(CLI::App& app);
void add_manual(CLI::App& app);

}  // namespace qdq::cli
