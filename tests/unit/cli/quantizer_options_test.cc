#include "cli/quantizer_options.h"

#include <gtest/gtest.h>

#include "qdq/error.h"

namespace qdq::cli {
namespace {

std::string failure(const Json& recipe) {
  try {
    recipe_from_json(recipe, "stats.safetensors");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "";
}

TEST(Recipe, ReadsBackWhatItWrote) {
  QuantizerOptions options;
  options.per_channel = true;
  options.exclude = {"classifier.*", "conv2d_1"};
  options.disabled_passes = {"fuse-conv-bn"};
  const Json recipe = recipe_json(options);
  EXPECT_EQ(recipe_json(recipe_from_json(recipe, "")), recipe);
  EXPECT_NE(recipe, recipe_json({}));
}

TEST(Recipe, OptionsThatAnEarlierVersionDidNotHaveHaveTheirDefault) {
  const Json now = recipe_json({});
  Json earlier = now;
  for (const char* key :
       {"symmetric_activations", "weight_observer", "weight_bits", "group_size", "least_scale", "also"})
    earlier.erase(key);
  EXPECT_EQ(recipe_json(recipe_from_json(earlier, "")), now);
}

TEST(Recipe, NamesTheFileAndTheKeyThatIsWrong) {
  Json recipe = recipe_json({});
  recipe["rounding"] = "up";
  EXPECT_EQ(failure(recipe), "stats.safetensors: recipe.rounding: this version of qdq knows no such option");
  recipe = recipe_json({});
  recipe["per_channel"] = "yes";
  EXPECT_EQ(failure(recipe), "stats.safetensors: recipe.per_channel: expected a value such as null, found \"yes\"");
  recipe.erase("per_channel");
  EXPECT_EQ(failure(recipe), "stats.safetensors: recipe.per_channel: expected a value such as null, found none");
  EXPECT_EQ(failure(Json::array()), "stats.safetensors: recipe: expected an object");
}

}  // namespace
}  // namespace qdq::cli
