#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "qdq/program.h"

namespace qdq::text {

// How the text form spells enumerators and literals. Each `find_*` is the inverse of `name_of`, nothing when unknown.
std::string_view name_of(Layout layout);
std::string_view name_of(MemoryFormat format);
std::string_view name_of(AttributeKind kind);
std::string_view name_of(InputSpec::Kind kind);
std::string_view name_of(OutputSpec::Kind kind);
std::optional<Layout> find_layout(std::string_view name);
std::optional<MemoryFormat> find_memory_format(std::string_view name);
std::optional<AttributeKind> find_attribute_kind(std::string_view name);
std::optional<InputSpec::Kind> find_input_kind(std::string_view name);
std::optional<OutputSpec::Kind> find_output_kind(std::string_view name);

bool is_identifier(std::string_view text);   // [A-Za-z_][A-Za-z0-9_]*
bool is_dotted_word(std::string_view text);  // identifier(.[A-Za-z0-9_]+)*: "aten.conv2d.default"
bool is_dotted_name(std::string_view text);  // [A-Za-z0-9_]+(.[A-Za-z0-9_]+)*: "0.weight"

std::string quoted(std::string_view text,
                   char quote = '"');               // with quotes, \n \t \r \\ and \xHH for control characters
std::string bare_or_quoted(std::string_view text);  // bare when is_dotted_word
std::string at_name(std::string_view text);         // "@0.weight", "@\"odd name\""

// The shortest decimal that reads back to the same bits; always recognisable as a float: "1.0", "1e-05", "-inf", "nan".
// NaNs with another payload than the default one have no decimal: "float_bits(\"fff8000000000000\")".
std::string number(double value);
std::string number(float value);

// Two bounds in metadata: "-1.5 3.25". `find_bounds` gives nothing for any other text.
std::string bounds(double low, double high);
std::optional<std::pair<double, double>> find_bounds(std::string_view text);

}  // namespace qdq::text
