#pragma once
#include "formats/onnx/read/importer.h"

namespace qdq::onnx {

// The sliding windows of a convolution or pooling, one entry per spatial dimension.
struct Windows {
  Shape kernel;
  Shape stride;
  Shape dilation;
  Shape before;  // padding
  Shape after;

  // No entry is larger, nor is a size that windows slide over: what is computed with two of them fits 64 bits.
  static constexpr std::int64_t kMost = std::int64_t{1} << 30;

  bool is_symmetric() const { return before == after; }
  // What the op itself may pad: all of it, or nothing when padded() has done it.
  Shape symmetric_padding() const { return is_symmetric() ? before : Shape(before.size(), 0); }
};

// Reads strides, dilations, pads and auto_pad. Refuses auto_pad where it depends on sizes that are not known.
Windows windows_of(const In& in, Shape kernel);

// `input` with the padding that an op with one number per dimension cannot do; itself when it can.
Node& padded(const In& in, Node& input, const Windows& windows, double value);
// `input` with all of the padding.
Node& with_padding(const In& in, Node& input, const Windows& windows, double value);

}  // namespace qdq::onnx
