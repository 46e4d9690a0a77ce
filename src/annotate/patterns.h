#pragma once
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "qdq/annotation.h"

namespace qdq {

inline constexpr std::string_view kConvOps[] = {"aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default",
                                                "aten.conv1d.padding", "aten.conv2d.padding", "aten.conv3d.padding"};
inline constexpr std::string_view kLinearOps[] = {"aten.linear.default"};
inline constexpr std::string_view kMatmulOps[] = {"aten.matmul.default", "aten.mm.default", "aten.bmm.default"};

// Questions about ops that the quantizers' rules share. In-place forms count as the op.
bool is_any_of(const Node& node, std::span<const std::string_view> targets);
bool is_any_of(const Node& node, std::initializer_list<std::string_view> targets);
bool is_relu(const Node& node);
bool is_linear(const Node& node);
bool is_conv(const Node& node);  // 1d, 2d, 3d, with numbers or a word ("same") as padding
bool is_conv_transpose(const Node& node);
bool is_batch_norm(const Node& node);
bool is_add(const Node& node);
bool is_mul(const Node& node);
bool is_matmul(const Node& node);  // of two activations: aten.matmul and what it is decomposed into

// "aten.add_.Tensor" -> "add": the op without namespace, overload and the underscore of in-place forms.
std::string_view base_name(const Node& op);

// Known and a floating-point tensor.
bool is_float_tensor(const Node& node);

// An annotation that takes its node;
std::shared_ptr<QuantizationAnnotation> new_annotation(std::string rule);

}  // namespace qdq
