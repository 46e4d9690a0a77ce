#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/completion_scripts.h"
#include "cli/man_page.h"
#include "cli/usage.h"

namespace qdq::cli {

void add_completions(CLI::App& app) {
  const auto shell = std::make_shared<std::string>();
  CLI::App& command = add_command(
      app, "completions", "Prints a script with which a shell completes the commands, options, names and files of qdq.",
      "  qdq completions bash > qdq.bash\n"
      "      goes to ~/.local/share/bash-completion/completions/qdq\n"
      "  qdq completions zsh > _qdq\n"
      "      goes to a folder of $fpath\n"
      "  qdq completions fish > qdq.fish\n"
      "      goes to ~/.config/fish/completions\n"
      "\n"
      "'cmake --install' puts them where the shells of the system look.");
  command.add_option("shell", *shell, "The shell: bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL");
  command.callback([shell, &app] {
    const ProgramLine program = command_line_of(app);
    fmt::print("{}", *shell == "bash"  ? bash_completions(program)
                     : *shell == "zsh" ? zsh_completions(program)
                                       : fish_completions(program));
  });
}

void add_manual(CLI::App& app) {
  CLI::App& command = add_command(app, "manual", "Prints the manual page: all that --help says, for man.",
                                  "  qdq manual > qdq.1\n"
                                  "  qdq manual | man -l -\n"
                                  "\n"
                                  "'cmake --install' puts it where 'man qdq' finds it.");
  command.callback([&app] { fmt::print("{}", man_page(command_line_of(app))); });
}

}  // namespace qdq::cli
