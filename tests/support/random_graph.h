#pragma once
#include <random>

#include "qdq/program.h"

namespace qdq::test {

// A program of `size` nodes in which every kind of node, argument and type of value occurs sooner or later; the same for
// the same seed. It verifies, but means nothing.
Program random_program(std::mt19937& random, int size);

}  // namespace qdq::test
