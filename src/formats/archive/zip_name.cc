#include <algorithm>

#include "formats/archive/zip_format.h"

namespace qdq::zip {

const char* name_problem(std::string_view name) {
  if (name.empty()) return "the name is empty";
  if (name.front() == '/') return "the name is an absolute path";
  for (char c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == '\\' || c == ':')
      return "the name holds a control character, a backslash or a colon";
  if (name.back() == '/') name.remove_suffix(1);  // a folder
  for (std::size_t start = 0; start <= name.size();) {
    const std::size_t slash = std::min(name.find('/', start), name.size());
    const std::string_view part = name.substr(start, slash - start);
    if (part.empty() || part == "." || part == "..") return "the name has an empty, '.' or '..' part";
    start = slash + 1;
  }
  return nullptr;
}

}  // namespace qdq::zip
