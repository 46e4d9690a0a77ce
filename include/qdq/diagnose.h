#pragma once
// Where accuracy is lost, and what to do about it.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "qdq/accuracy.h"
#include "qdq/numeric_debugger.h"
#include "qdq/quantizer.h"

namespace qdq {

// What quantizing one tensor costs.
struct TensorDiagnosis {
  std::string node;      // that makes the value
  std::string observer;  // the class that chose the range: "HistogramObserver"
  bool is_weight = false;
  ErrorStats added;  // the float program's value, quantized, against itself
  std::optional<ErrorStats>
      inherited;       // the quantized program's value, before it is quantized, against the float one's
  double clipped = 0;  // the share of the float values outside of the range
};

// What keeping one op in float would bring.
struct OpDiagnosis {
  std::string node;
  std::string op;
  double own_sqnr_db = 0;  // of its value, with what quantizes its inputs, on float inputs
  double gain_db = 0;      // by which the SQNR of the program's outputs rises with it in float
};

struct Diagnosis {
  double sqnr_db = 0;                    // of the program's outputs
  std::vector<TensorDiagnosis> tensors;  // what adds most first
  std::vector<OpDiagnosis> ops;          // those that were tried, what brings most first
  std::vector<std::string> exclude;      // the ops that bring 0.5 dB or more: for --exclude
};

struct DiagnoseOptions {
  AccuracyOptions accuracy;  // what runs beside the quantizer
  int ops = 8;               // are tried in float, those with the least SQNR of their own; each costs a calibration
  ExecutorOptions executor = {};
  std::function<void(int done, int total)> progress = {};  // after each quantization of the program
};

// Quantizes `program` with data and measures on the same data. Throws as prepare, calibrate and convert do.
Diagnosis diagnose(const Program& program, Quantizer& quantizer, const CalibrationBatches& batches,
                   const DiagnoseOptions& options = {});

// A number that says how good a program is; higher is better ("top-1 in percent").
using Evaluate = std::function<double(const Program&)>;

struct MixedPrecisionOptions {
  double max_drop = 0;  // of the score, in its own units
  // Give activations 16 bits, those first whose 8 cost the outputs most, instead of leaving ops in float. Weights keep theirs.
  bool sixteen_bits = false;
  AccuracyOptions accuracy;
  ExecutorOptions executor = {};
};
struct MixedPrecision {
  Program program;                      // quantized
  std::vector<std::string> in_float;    // ops that the search left in float, the most sensitive first
  std::vector<std::string> in_16_bits;  // nodes whose values it gave 16 bits, in graph order
  double float_score = 0;
  double score = 0;
  int evaluations = 0;
  bool reached = false;  // score >= float_score - max_drop
};

// How often quantize_within_drop evaluates at most, for a program with so many ops (or values) that can be quantized:
// the float program, the quantized one, and a search by halves.
int most_evaluations(std::int64_t ops);

// Quantizes as much of `program` as `max_drop` allows: ops are ranked by the SQNR of what they make on float inputs, and
// the fewest of them, worst first, stay in float (or the fewest activations get 16 bits). `start(evaluations)` is called
// before the first evaluation, with the most that there can be.
MixedPrecision quantize_within_drop(const Program& program, Quantizer& quantizer, const CalibrationBatches& batches,
                                    const Evaluate& evaluate, const MixedPrecisionOptions& options,
                                    const std::function<void(int evaluations)>& start = {});

}  // namespace qdq
