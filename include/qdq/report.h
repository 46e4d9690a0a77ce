#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qdq/numeric_debugger.h"
#include "qdq/quantize.h"

namespace qdq {

// How the values of one tensor lay during calibration.
struct ObservedTensor {
  std::string name;      // of the node that makes the value
  std::string observer;  // "HistogramObserver"
  double min = 0;        // the least and the greatest value that was seen
  double max = 0;
  std::vector<double> share;  // of the values, in bins of equal width from min to max; sums to 1. Empty: not counted
};

// What the observers of a calibrated program know, in the order of the graph, at most `bins` bins each. Observers that keep
// bounds only (min/max, per channel) give no shares; those that have seen nothing are left out.
std::vector<ObservedTensor> observed_tensors(const PreparedProgram& prepared, std::size_t bins = 128);

// The error of one output of the program, and how often its largest element along the last dimension stayed where it was.
struct OutputAccuracy {
  std::string name;
  ErrorStats error;
  std::optional<double> same_argmax;
};

// What a report is made of. Whatever is empty is left out of the page, which says how to get it.
struct ReportContents {
  std::string title;
  const Program& reference;  // in float
  const Program& quantized;  // what convert made of it
  std::vector<ObservedTensor> observed;
  std::vector<NodeAccuracy> nodes;
  std::vector<OutputAccuracy> outputs;
};

// One HTML page, UTF-8, that needs nothing else and no network: the summary, a plot of the error along the network, the ops
// as a table to sort and filter, for each op its quantized tensors with histogram and chosen range, and why ops are in float.
// What comes from a model (names, source lines, reasons) is shown as text and never becomes a part of the page's code.
std::string html_report(const ReportContents& contents);

}  // namespace qdq
