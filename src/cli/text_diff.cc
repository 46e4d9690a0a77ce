#include "cli/text_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace qdq::cli {
namespace {

constexpr std::size_t kContext = 3;

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// A line of both texts, by position.
struct Match {
  std::size_t before;
  std::size_t after;
};

// Lines that occur once in each text, in the order of the first.
std::vector<Match> unique_matches(const Lines& before, const Lines& after) {
  struct Places {
    std::size_t before_count = 0;
    std::size_t after_count = 0;
    std::size_t after = 0;
  };
  std::unordered_map<std::string_view, Places> places;
  for (const std::string_view line : before) ++places[line].before_count;
  for (std::size_t i = 0; i < after.size(); ++i) {
    Places& place = places[after[i]];
    ++place.after_count;
    place.after = i;
  }
  std::vector<Match> matches;
  for (std::size_t i = 0; i < before.size(); ++i)
    if (const Places& place = places[before[i]]; place.before_count == 1 && place.after_count == 1)
      matches.push_back({i, place.after});
  return matches;
}

// The longest subsequence whose positions in the second text increase.
std::vector<Match> longest_increasing(const std::vector<Match>& matches) {
  std::vector<std::size_t> tails;  // index of the last match of the best sequence of each length
  std::vector<std::optional<std::size_t>> previous(matches.size());
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const auto at = std::lower_bound(tails.begin(), tails.end(), matches[i].after,
                                     [&](std::size_t tail, std::size_t after) { return matches[tail].after < after; });
    if (at != tails.begin()) previous[i] = *(at - 1);
    if (at == tails.end()) {
      tails.push_back(i);
    } else {
      *at = i;
    }
  }
  std::vector<Match> result;
  for (std::optional<std::size_t> i = tails.empty() ? std::nullopt : std::optional(tails.back()); i; i = previous[*i])
    result.push_back(matches[*i]);
  std::reverse(result.begin(), result.end());
  return result;
}

// The matches with the equal lines that follow and precede each of them; both ends of the texts count as matches.
std::vector<Match> extended(const std::vector<Match>& anchors, const Lines& before, const Lines& after) {
  std::vector<Match> result;
  std::size_t b = 0;
  std::size_t a = 0;
  const auto fill_gap = [&](std::size_t b_end, std::size_t a_end) {
    for (; b < b_end && a < a_end && before[b] == after[a]; ++b, ++a) result.push_back({b, a});
    std::size_t equal = 0;
    while (b + equal < b_end && a + equal < a_end && before[b_end - 1 - equal] == after[a_end - 1 - equal]) ++equal;
    for (std::size_t i = equal; i > 0; --i) result.push_back({b_end - i, a_end - i});
  };
  for (const Match& anchor : anchors) {
    fill_gap(anchor.before, anchor.after);
    result.push_back(anchor);
    b = anchor.before + 1;
    a = anchor.after + 1;
  }
  fill_gap(before.size(), after.size());
  return result;
}

struct Row {
  char mark;  // ' ', '-' or '+'
  std::string_view line;
  std::size_t before;  // lines of each text that stand before this row
  std::size_t after;
};

std::vector<Row> rows_of(const std::vector<Match>& matches, const Lines& before, const Lines& after) {
  std::vector<Row> rows;
  std::size_t b = 0;
  std::size_t a = 0;
  const auto changes_until = [&](std::size_t b_end, std::size_t a_end) {
    for (; b < b_end; ++b) rows.push_back({'-', before[b], b, a});
    for (; a < a_end; ++a) rows.push_back({'+', after[a], b, a});
  };
  for (const Match& match : matches) {
    changes_until(match.before, match.after);
    rows.push_back({' ', before[b], b, a});
    ++b;
    ++a;
  }
  changes_until(before.size(), after.size());
  return rows;
}

std::string range(std::size_t start, std::size_t count) {
  return fmt::format("{},{}", count == 0 ? start : start + 1, count);
}

std::string hunk(const std::vector<Row>& rows, std::size_t begin, std::size_t end) {
  std::string body;
  std::size_t before = 0;
  std::size_t after = 0;
  for (std::size_t i = begin; i < end; ++i) {
    body += fmt::format("{}{}\n", rows[i].mark, rows[i].line);
    before += rows[i].mark != '+';
    after += rows[i].mark != '-';
  }
  return fmt::format("@@ -{} +{} @@\n{}", range(rows[begin].before, before), range(rows[begin].after, after), body);
}

}  // namespace

std::string text_diff(std::string_view before, std::string_view after) {
  const Lines b = lines_of(before);
  const Lines a = lines_of(after);
  const std::vector<Row> rows = rows_of(extended(longest_increasing(unique_matches(b, a)), b, a), b, a);
  std::string text;
  for (std::size_t i = 0; i < rows.size();) {
    if (rows[i].mark == ' ') {
      ++i;
      continue;
    }
    // Changes that are closer than the context of both make one hunk.
    std::size_t last = i;
    for (std::size_t k = i; k < rows.size() && k <= last + 2 * kContext + 1; ++k)
      if (rows[k].mark != ' ') last = k;
    text += hunk(rows, i - std::min(i, kContext), std::min(last + 1 + kContext, rows.size()));
    i = last + 1;
  }
  return text;
}

}  // namespace qdq::cli
