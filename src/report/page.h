#pragma once
#include <string_view>

// The static parts of the report, as they stand in page.html, page.css and page.js.
namespace qdq::report {

extern const std::string_view kHtml;  // with "{{css}}", "{{js}}", "{{title}}" and "{{data}}" where these go
extern const std::string_view kCss;
extern const std::string_view kJs;

}  // namespace qdq::report
