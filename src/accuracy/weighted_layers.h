#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "qdq/observer.h"
#include "qdq/program.h"

namespace qdq {

// Convolutions and linears: ops with (input, weight, bias) in front of their arguments.
bool is_convolution(const Node& node);  // 1d, 2d, 3d; not transposed
bool is_linear_op(const Node& node);
inline bool is_weighted(const Node& node) { return is_convolution(node) || is_linear_op(node); }
bool is_transposed_convolution(const Node& node);  // 1d, 2d, 3d
// All of these: what a weight's error does to their results, a bias can take up in the mean.
inline bool takes_bias(const Node& node) { return is_weighted(node) || is_transposed_convolution(node); }

// The groups of a convolution; 1 for a linear.
std::int64_t groups_of(const Node& layer);
// The dimension of a layer's result, of so many dimensions, that counts its output channels.
std::int64_t channel_dim(const Node& layer, std::int64_t dims);

// The parameter that a layer reads as its weight, perhaps through an observer; null when that is computed.
Node* weight_of(const Node& layer);
// The same of the bias; null when there is none.
Node* bias_of(const Node& layer);

// How many get_attr nodes' users read the attribute `name`, observers not counted.
std::int64_t readers_of(const Program& program, const std::string& name);

// Why the weight and bias of `layer` cannot be changed for it alone; empty when they can.
std::string why_not_own(const Program& program, const Node& layer);
// A copy of the parameter that `get_attr` reads, in its place: it may be written to.
Tensor own_copy(Program& program, const Node& get_attr);

// Makes `bias`, [output channels], the bias of `layer`: an attribute of its own when it had none or shares it.
void set_bias(Program& program, Node& layer, const Tensor& bias);
// The bias of `layer` as float32, zeros when it has none.
Tensor bias_values(const Program& program, const Node& layer);
// The bias of `layer` with `difference`, [output channels], added.
Tensor moved_bias(const Program& program, const Node& layer, const std::vector<double>& difference);

// A layer of a prepared program whose weight is a parameter with an observer.
struct ObservedLayer {
  Node* node;
  Node* weight;  // get_attr
  Observer* observer;
};
// Those that `is_wanted` accepts, in graph order.
std::vector<ObservedLayer> observed_layers(Program& prepared,
                                           const std::map<std::string, std::shared_ptr<Observer>>& observers,
                                           bool (*is_wanted)(const Node&) = is_weighted);

}  // namespace qdq
