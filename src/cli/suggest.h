#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace qdq::cli {

// The name among `known` that somebody who typed `wanted` most likely meant: at most a third of its letters are wrong,
// missing, too many or swapped with their neighbour, or it begins with what was typed. Empty when none is near.
std::string nearest_name(std::string_view wanted, const std::vector<std::string>& known);

// "; did you mean 'fuse_conv_bn'?", or nothing.
std::string did_you_mean(std::string_view wanted, const std::vector<std::string>& known);

// What is wrong with arguments that the parser could not place: a command that does not exist, an option that the command
// does not have, a file too many. Empty when there are none.
std::string explain_unexpected(const CLI::App& app);

}  // namespace qdq::cli
