#include "ops/pieces.h"

#include <algorithm>

#include "ops/schema.h"

namespace qdq {
namespace {

// The sizes that numpy's and torch's atleast_1d, _2d and _3d give.
Shape at_least(Shape sizes, std::size_t rank) {
  if (sizes.empty()) return Shape(rank, 1);
  if (rank > 1 && sizes.size() == 1) sizes.insert(sizes.begin(), 1);
  if (rank == 3 && sizes.size() == 2) sizes.push_back(1);
  return sizes;
}

void stand_at_least(std::vector<Tensor>& tensors, std::size_t rank) {
  for (Tensor& tensor : tensors) tensor = tensor.reshape(at_least(tensor.sizes(), rank));
}

void check_fit(const Call& call, const Pieces& pieces) {
  const auto d = static_cast<std::size_t>(pieces.dim);
  for (const Tensor& tensor : pieces.tensors) {
    Shape expected = pieces.tensors[0].sizes();
    if (tensor.sizes().size() == expected.size()) expected[d] = tensor.sizes()[d];
    if (tensor.sizes() != expected)
      call.fail("sizes " + to_string(tensor.sizes()) + " do not fit " + to_string(pieces.tensors[0].sizes()) +
                " beside dimension " + std::to_string(pieces.dim));
  }
}

}  // namespace

Pieces pieces_of(const Call& call) {
  Pieces pieces{call.tensors("tensors"), 0};
  const std::string& target = call.schema().target;
  if (target == "aten.hstack.default") {
    stand_at_least(pieces.tensors, 1);
    pieces.dim = !pieces.tensors.empty() && pieces.tensors[0].dim() > 1 ? 1 : 0;
  } else if (target == "aten.vstack.default") {
    stand_at_least(pieces.tensors, 2);
  } else if (target == "aten.dstack.default") {
    stand_at_least(pieces.tensors, 3);
    pieces.dim = 2;
  }
  if (pieces.tensors.empty()) call.fail("nothing to put together");
  std::erase_if(pieces.tensors, [](const Tensor& tensor) { return tensor.dim() == 1 && tensor.numel() == 0; });
  if (pieces.tensors.empty()) return pieces;
  if (pieces.tensors[0].dim() == 0) call.fail("0-dim tensors cannot be concatenated");
  if (call.schema().find_arg("dim")) pieces.dim = call.dim("dim", pieces.tensors[0].dim());
  check_fit(call, pieces);
  return pieces;
}

}  // namespace qdq
