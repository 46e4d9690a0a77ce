#pragma once
#include <optional>
#include <string>
#include <vector>

#include "qdq/accuracy.h"
#include "qdq/program.h"

namespace qdq {

// Values that share their channels, with the layers that make and read them. A factor per channel on all of them changes
// nothing when the rows of the producers' weights are multiplied with it and the columns of the consumers' divided:
//
//     conv -> relu6 -> depthwise conv                   conv -> add -> conv
//                                                       conv ---^
struct ChannelGroup {
  std::vector<Node*> producers;  // layers whose output channels these are
  std::vector<Node*> consumers;  // layers whose input channels these are
  std::vector<Node*> values;     // in graph order
  std::optional<double> clamp;   // the number at which a ReLU6 among them cuts; the least of several
};

// Those of a float program that begin and end with layers whose parameters are their own, in graph order. Producers of
// values that anything else reads are in `skipped`.
std::vector<ChannelGroup> channel_groups(Program& program, std::vector<SkippedLayer>& skipped);

}  // namespace qdq
