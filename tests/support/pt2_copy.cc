// pt2_copy IN OUT: loads a program and saves it, for the tests that let torch look at the result.
#include <cstdio>

#include "qdq/io.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: pt2_copy IN OUT\n", stderr);
    return 2;
  }
  try {
    qdq::save(qdq::load(argv[1], {.verify_weights = true}), argv[2]);
  } catch (const qdq::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return qdq::exit_code(error.code());
  }
  return 0;
}
