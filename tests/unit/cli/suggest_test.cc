#include "cli/suggest.h"

#include <gtest/gtest.h>

namespace qdq::cli {
namespace {

const std::vector<std::string> kCommands = {"quantize", "run",          "compare",       "inspect",
                                            "pass",     "fuse_conv_bn", "fuse_linear_bn"};

TEST(Suggest, FindsTheNearestName) {
  EXPECT_EQ(nearest_name("quantise", kCommands), "quantize");  // another letter
  EXPECT_EQ(nearest_name("inpsect", kCommands), "inspect");    // swapped
  EXPECT_EQ(nearest_name("pas", kCommands), "pass");           // one missing
  EXPECT_EQ(nearest_name("comparee", kCommands), "compare");   // one too many
  EXPECT_EQ(nearest_name("fuse_convbn", kCommands), "fuse_conv_bn");
  EXPECT_EQ(nearest_name("quant", kCommands), "quantize");  // the beginning
}

TEST(Suggest, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("delete", kCommands), "");
  EXPECT_EQ(nearest_name("", kCommands), "");
  EXPECT_EQ(did_you_mean("zzz", kCommands), "");
  EXPECT_EQ(did_you_mean("rum", kCommands), "; did you mean 'run'?");
}

}  // namespace
}  // namespace qdq::cli
