// The vocabulary of affine observers: granularities and mapping types.
#include "bindings.h"

namespace qdq::python {

void bind_affine(nb::module_& m) {
  nb::class_<PerTensor>(m, "PerTensor", "One scale for the tensor.").def(nb::init<>());
  nb::class_<PerAxis>(m, "PerAxis", "One scale for each index of `axis`.")
      .def(
          "__init__", [](PerAxis* self, std::int64_t axis) { new (self) PerAxis{axis}; }, "axis"_a)
      .def_ro("axis", &PerAxis::axis);
  nb::class_<PerGroup>(m, "PerGroup", "One scale for each run of `group_size` elements of the last dimension.")
      .def(
          "__init__", [](PerGroup* self, std::int64_t group_size) { new (self) PerGroup{group_size}; }, "group_size"_a)
      .def_ro("group_size", &PerGroup::group_size);
  nb::class_<PerToken>(m, "PerToken", "One scale for each row of the last dimension.").def(nb::init<>());
  nb::class_<PerRow>(m, "PerRow", "One scale for each run along dimension `dim`.")
      .def(
          "__init__", [](PerRow* self, std::int64_t dim) { new (self) PerRow{dim}; }, "dim"_a = -1)
      .def_ro("dim", &PerRow::dim);
  nb::class_<PerBlock>(m, "PerBlock", "One scale for each block of these sizes.")
      .def(
          "__init__", [](PerBlock* self, Shape block_size) { new (self) PerBlock{std::move(block_size)}; },
          "block_size"_a)
      .def_ro("block_size", &PerBlock::block_size);
  nb::enum_<MappingType>(m, "MappingType", "How bounds become a scale and a zero point.")
      .value("SYMMETRIC", MappingType::symmetric)
      .value("SYMMETRIC_NO_CLIPPING_ERR", MappingType::symmetric_no_clipping_err)
      .value("ASYMMETRIC", MappingType::asymmetric);
  nb::enum_<ZeroPointDomain>(m, "ZeroPointDomain", "What a zero point is.")
      .value("INT", ZeroPointDomain::integer)
      .value("FLOAT", ZeroPointDomain::floating)
      .value("NONE", ZeroPointDomain::none);

  nb::class_<AffineConfig>(m, "AffineConfig", "What an affine observer was built with.")
      .def(
          "__init__",
          [](AffineConfig* self, MappingType mapping_type, DType target_dtype, Granularity granularity,
             std::optional<std::int64_t> quant_min, std::optional<std::int64_t> quant_max, std::optional<double> eps,
             std::optional<DType> scale_dtype, std::optional<DType> zero_point_dtype, bool preserve_zero,
             ZeroPointDomain zero_point_domain, std::optional<Shape> block_size) {
            new (self) AffineConfig{mapping_type,
                                    target_dtype,
                                    std::move(granularity),
                                    quant_min,
                                    quant_max,
                                    eps,
                                    scale_dtype,
                                    zero_point_dtype,
                                    preserve_zero,
                                    zero_point_domain,
                                    std::move(block_size)};
          },
          "mapping_type"_a, "target_dtype"_a, "granularity"_a, "quant_min"_a = nb::none(), "quant_max"_a = nb::none(),
          "eps"_a = nb::none(), "scale_dtype"_a = nb::none(), "zero_point_dtype"_a = nb::none(),
          "preserve_zero"_a = true, "zero_point_domain"_a = ZeroPointDomain::integer, "block_size"_a = nb::none())
      .def_ro("mapping_type", &AffineConfig::mapping_type)
      .def_ro("target_dtype", &AffineConfig::target_dtype)
      .def_ro("granularity", &AffineConfig::granularity)
      .def_ro("quant_min", &AffineConfig::quant_min)
      .def_ro("quant_max", &AffineConfig::quant_max)
      .def_ro("block_size", &AffineConfig::block_size, "Of the newest value; None before the first.");
  m.def(
      "block_size_of",
      [](const Granularity& granularity, const Shape& shape) { return block_size_of(granularity, shape); },
      "granularity"_a, "shape"_a,
      "The size of a block in each dimension. Raises InvalidArgumentError where blocks do not divide the shape.");
}

}  // namespace qdq::python
