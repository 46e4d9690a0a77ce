#pragma once
#include <string>
#include <vector>

namespace CLI {
class Option;
}

namespace qdq::cli {

// Tells shells what an option may be completed to. Any other value is accepted too: the command itself judges it, with a
// better message than a list.
CLI::Option* with_known_values(CLI::Option* option, const std::vector<std::string>& values);

// Of passes that run by their name.
std::vector<std::string> pass_names();

// The values that with_known_values or CLI::IsMember gave the option; empty for others.
std::vector<std::string> known_values(const CLI::Option& option);

}  // namespace qdq::cli
