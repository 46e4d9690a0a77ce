#include "statistics/options_json.h"

#include <array>

namespace qdq {
namespace {

// Calls visit(name, field) for every field.
template <typename Options, typename Visit>
void for_each_field(Options& options, Visit&& visit) {
  visit("dtype", options.dtype);
  visit("qscheme", options.qscheme);
  visit("quant_min", options.quant_min);
  visit("quant_max", options.quant_max);
  visit("ch_axis", options.ch_axis);
  visit("is_dynamic", options.is_dynamic);
  visit("reduce_range", options.reduce_range);
  visit("eps", options.eps);
  visit("averaging_constant", options.averaging_constant);
  visit("bins", options.bins);
  visit("scale", options.scale);
  visit("zero_point", options.zero_point);
  visit("percentile", options.percentile);
  visit("mapping_type", options.mapping_type);
  visit("granularity", options.granularity);
  visit("scale_dtype", options.scale_dtype);
  visit("zero_point_dtype", options.zero_point_dtype);
  visit("preserve_zero", options.preserve_zero);
  visit("zero_point_domain", options.zero_point_domain);
}

void write(json::Writer& writer, bool value) { writer.boolean(value); }
void write(json::Writer& writer, std::int64_t value) { writer.integer(value); }
void write(json::Writer& writer, double value) { writer.number(value); }
void write(json::Writer& writer, const Granularity& value) { writer.string(to_string(value)); }
template <typename Enum>
void write(json::Writer& writer, Enum value) {
  writer.string(name(value));
}

template <typename Enum>
void read_one_of(json::Element element, std::span<const Enum> known, std::optional<Enum>& field) {
  const std::string_view text = json::string(element);
  std::string list;
  for (const Enum value : known) {
    if (name(value) == text) {
      field = value;
      return;
    }
    list += (list.empty() ? "" : ", ") + std::string(name(value));
  }
  json::fail("expected one of " + list + "; found '" + std::string(text) + "'");
}

void read(json::Element element, std::optional<bool>& field) { field = json::boolean(element); }
void read(json::Element element, std::optional<std::int64_t>& field) { field = json::integer(element); }
void read(json::Element element, std::optional<double>& field) { field = json::number(element); }
void read(json::Element element, std::optional<Granularity>& field) {
  field = granularity_from_text(json::string(element));
  if (!field) json::fail("unknown granularity '" + std::string(json::string(element)) + "'");
}
void read(json::Element element, std::optional<DType>& field) {
  field = dtype_from_name(json::string(element));
  if (!field) json::fail("unknown dtype '" + std::string(json::string(element)) + "'");
}
void read(json::Element element, std::optional<QScheme>& field) {
  static constexpr std::array kAll = {QScheme::per_tensor_affine, QScheme::per_tensor_symmetric,
                                      QScheme::per_channel_affine, QScheme::per_channel_symmetric,
                                      QScheme::per_channel_affine_float_qparams};
  read_one_of<QScheme>(element, kAll, field);
}
void read(json::Element element, std::optional<MappingType>& field) {
  static constexpr std::array kAll = {MappingType::symmetric, MappingType::symmetric_no_clipping_err,
                                      MappingType::asymmetric};
  read_one_of<MappingType>(element, kAll, field);
}
void read(json::Element element, std::optional<ZeroPointDomain>& field) {
  static constexpr std::array kAll = {ZeroPointDomain::integer, ZeroPointDomain::floating, ZeroPointDomain::none};
  read_one_of<ZeroPointDomain>(element, kAll, field);
}

}  // namespace

void write_options(json::Writer& writer, const ObserverOptions& options) {
  writer.begin_object();
  for_each_field(options, [&](const char* field_name, const auto& field) {
    if (!field) return;
    writer.key(field_name);
    write(writer, *field);
  });
  writer.end();
}

ObserverOptions read_options(json::Element element) {
  ObserverOptions options;
  for (const auto& [key, value] : json::object(element)) {
    bool known = false;
    for_each_field(options, [&, wanted = key, found = value](const char* field_name, auto& field) {
      if (wanted != field_name) return;
      known = true;
      json::within([&] { return json::member(field_name); }, [&] { read(found, field); });
    });
    if (!known) json::fail("unknown option '" + std::string(key) + "'");
  }
  return options;
}

}  // namespace qdq
