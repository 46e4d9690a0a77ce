#include "graph/name_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <unordered_set>
#include <utility>

namespace qdq {
namespace {

// torch.fx never gives a node one of these names (Python's keywords and builtins that its generated code could shadow).
bool is_reserved_name(std::string_view name) {
  static const std::unordered_set<std::string_view> reserved = {
      "False",    "None",   "True",     "and",     "as",     "assert",   "async",    "await",  "break",  "class",
      "continue", "def",    "del",      "elif",    "else",   "except",   "finally",  "for",    "from",   "global",
      "if",       "import", "in",       "is",      "lambda", "nonlocal", "not",      "or",     "pass",   "raise",
      "return",   "try",    "while",    "with",    "yield",  "abs",      "all",      "any",    "ascii",  "bin",
      "bool",     "bytes",  "chr",      "complex", "dict",   "dir",      "divmod",   "filter", "float",  "format",
      "hash",     "help",   "hex",      "id",      "input",  "int",      "iter",     "len",    "list",   "map",
      "max",      "min",    "next",     "object",  "oct",    "open",     "ord",      "pow",    "print",  "property",
      "range",    "repr",   "reversed", "round",   "set",    "slice",    "sorted",   "str",    "sum",    "super",
      "tuple",    "type",   "vars",     "zip",     "inf",    "nan",      "NoneType", "torch",  "device", "fx_pytree",
      "pytree"};
  static const std::size_t longest = std::ranges::max_element(reserved, {}, &std::string_view::size)->size();
  return name.size() <= longest && reserved.contains(name);
}

// As in the "C" locale; <cctype> would ask for the current one at each character.
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_identifier_char(char c) { return is_lower(c) || is_upper(c) || is_digit(c) || c == '_'; }

// "conv2d_12" -> ("conv2d", 12); a suffix that is not a plain number belongs to the base.
std::pair<std::string_view, std::optional<std::int64_t>> split_suffix(std::string_view name) {
  const auto last = name.find_last_not_of("0123456789");
  const bool has_suffix = last != std::string_view::npos && last > 0 && name[last] == '_' && last + 1 < name.size() &&
                          name.size() - last <= 18;  // more digits would not fit an int64
  if (!has_suffix) return {name, std::nullopt};
  std::int64_t number = 0;
  std::from_chars(name.data() + last + 1, name.data() + name.size(), number);
  return {name.substr(0, last), number};
}

// What follows the first `size` characters becomes "_<number>".
void number(std::string& name, std::size_t size, std::int64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  name.resize(size);
  name += '_';
  name.append(digits.data(), end);
}

}  // namespace

std::string snake_case(std::string_view target) {
  std::string result;
  result.reserve(target.size() + 4);
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (i > 0 && is_upper(target[i]) && is_lower(target[i - 1])) result += '_';
    result += is_upper(target[i]) ? static_cast<char>(target[i] - 'A' + 'a') : target[i];
  }
  return result;
}

Node* NameTable::find(std::string_view name) const {
  const auto found = owners_.find(name);
  return found == owners_.end() ? nullptr : found->second;
}

void NameTable::abandon(std::string name) {
  owners_.insert_or_assign(abandoned_.emplace_back(std::move(name)), nullptr);
}

void NameTable::set_count(Counts::iterator known, std::string_view base, std::int64_t number) {
  if (known == counts_.end()) {
    if (number != 0) counts_.emplace(base, number);
  } else if (number == 0) {
    counts_.erase(known);
  } else {
    known->second = number;
  }
}

std::string NameTable::free_name(std::string_view wanted) {
  std::string candidate;
  candidate.reserve(wanted.size() + 8);
  bool in_gap = false;
  for (char c : wanted) {
    if (is_identifier_char(c))
      candidate += c;
    else if (!in_gap)
      candidate += '_';  // one for a whole run of illegal characters
    in_gap = !is_identifier_char(c);
  }
  if (candidate.empty()) candidate = "_unnamed";
  if (is_digit(candidate[0])) candidate.insert(0, "_");

  const auto [base, suffix] = split_suffix(candidate);
  const std::size_t size = base.size();
  const bool is_new = suffix && !was_given(candidate);
  const auto last = counts_.find(base);
  std::int64_t count = is_new ? *suffix : last == counts_.end() ? 0 : last->second;
  if (!is_new && is_reserved_name(candidate)) number(candidate, size, ++count);
  while (was_given(candidate)) number(candidate, size, ++count);
  set_count(last, std::string_view(candidate).substr(0, size), count);
  return candidate;
}

std::string NameTable::name_to_claim(std::string_view wanted) {
  const bool legal =
      !wanted.empty() && !is_digit(wanted[0]) && std::all_of(wanted.begin(), wanted.end(), is_identifier_char);
  if (!legal || was_given(wanted)) return free_name(wanted);
  if (const auto [base, suffix] = split_suffix(wanted); suffix) set_count(counts_.find(base), base, *suffix);
  return std::string(wanted);
}

}  // namespace qdq
