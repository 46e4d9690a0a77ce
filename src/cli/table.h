#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace qdq::cli {

// Columns padded to their widest cell. Text stands left, columns marked as numbers stand right.
class Table {
 public:
  struct Column {
    std::string title;
    bool is_number = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // Throws InternalError unless there is one cell for each column.
  void add(std::vector<std::string> cells);
  // A line of its own above the rows that follow; it stands out as the titles do.
  void add_heading(std::string text);
  bool empty() const { return rows_.empty(); }
  // Lines of two leading spaces and no trailing ones, the titles first.
  std::string to_string() const;  // for standard output: titles and headings are bold on a terminal
  std::string to_string(bool bold_titles) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::pair<std::size_t, std::string>> headings_;  // each above the row of that number
};

std::string grouped(std::int64_t number);        // "1,234,567"
std::string megabytes(std::int64_t bytes);       // "12.3 MB", of 10^6 bytes
std::string seconds(double seconds);             // "0.042 s", "12.3 s"
std::string milliseconds(double seconds);        // "0.420 ms", "1,234 ms"
std::string percent(double part, double whole);  // "30.4 %", "-" when the whole is 0

}  // namespace qdq::cli
