#pragma once
#include <span>

namespace qdq {

// Adds a histogram over [old_min, old_max] to `histogram` over the wider [new_min, new_max], both with as many bins.
// Each old bin is cut into 16 equal parts, and each part goes whole to the new bin that holds its centre.
void add_remapped(std::span<const float> old_histogram, float old_min, float old_max, float new_min, float new_max,
                  std::span<float> histogram);

}  // namespace qdq
