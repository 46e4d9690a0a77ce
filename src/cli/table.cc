#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/terminal.h"
#include "qdq/error.h"

namespace qdq::cli {

void Table::add(std::vector<std::string> cells) {
  if (cells.size() != columns_.size())
    throw InternalError(fmt::format("Table: {} cells for {} columns", cells.size(), columns_.size()));
  rows_.push_back(std::move(cells));
}

void Table::add_heading(std::string text) { headings_.emplace_back(rows_.size(), std::move(text)); }

std::string Table::to_string() const { return to_string(stdout_has_colour()); }

std::string Table::to_string(bool bold_titles) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = columns_[c].title.size();
    for (const auto& row : rows_) width = std::max(width, row[c].size());
    widths.push_back(width);
  }
  const auto line = [&](const auto& cell) {
    std::string text;
    for (std::size_t c = 0; c < columns_.size(); ++c)
      text += columns_[c].is_number ? fmt::format("  {:>{}}", cell(c), widths[c])
                                    : fmt::format("  {:<{}}", cell(c), widths[c]);
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  const std::string titles = line([&](std::size_t c) { return columns_[c].title; });
  const auto emphasized = [&](const std::string& words) { return (bold_titles ? bold(words) : words) + "\n"; };
  std::string text = emphasized(titles);
  std::size_t heading = 0;
  for (std::size_t r = 0; r <= rows_.size(); ++r) {
    for (; heading < headings_.size() && headings_[heading].first == r; ++heading)
      text += emphasized("  " + headings_[heading].second);
    if (r < rows_.size()) text += line([&](std::size_t c) { return rows_[r][c]; }) + "\n";
  }
  return text;
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3;) digits.insert(i -= 3, ",");
  return digits;
}

std::string megabytes(std::int64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

std::string seconds(double seconds) { return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 3 : 1); }

std::string milliseconds(double seconds) {
  constexpr double kGroupFrom = 1000;
  const double value = seconds * 1e3;
  if (value >= kGroupFrom) return grouped(static_cast<std::int64_t>(value + 0.5)) + " ms";
  return fmt::format("{:.{}f} ms", value, value < 100 ? 3 : 1);
}

std::string percent(double part, double whole) {
  return whole == 0 ? "-" : fmt::format("{:.1f} %", 100 * part / whole);
}

}  // namespace qdq::cli
