// Damaged images: every one must be refused with a FormatError or give pixels of the size that its header states.
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "qdq/error.h"
#include "qdq/images.h"
#include "support/temporary_folder.h"

namespace qdq {
namespace {

class ImageDamage : public testing::TestWithParam<const char*> {
 protected:
  std::string image() const {
    std::ifstream file(std::filesystem::path(QDQ_TESTS_DIR) / "fuzz" / "corpus" / "images" / GetParam(),
                       std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // "" when the image was read, else the message.
  std::string outcome(const std::string& bytes) {
    const auto path = folder_ / "damaged";
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      const ImageSize size = image_size(path);
      const Tensor pixels = load_image(path);
      EXPECT_EQ(pixels.dtype(), DType::uint8);
      EXPECT_EQ(pixels.sizes(), (std::vector<std::int64_t>{size.height, size.width, 3}));
      EXPECT_TRUE(bit_equal(pixels, pixels.clone()));  // every pixel can be read
      return "";
    } catch (const FormatError& error) {
      return error.what();
    }
  }
  TemporaryFolder folder_;
};

TEST_P(ImageDamage, TheWholeImageIsRead) { EXPECT_EQ(outcome(image()), ""); }

TEST_P(ImageDamage, EveryTruncationIsRefusedWithTheFile) {
  const std::string good = image();
  for (std::size_t length = 0; length < good.size(); ++length) {
    const std::string message = outcome(good.substr(0, length));
    EXPECT_NE(message.find("damaged: "), std::string::npos) << length << " of " << good.size() << ": " << message;
  }
}

TEST_P(ImageDamage, EveryFlippedBitIsRefusedOrHarmless) {
  const std::string good = image();
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bytes = good;
    bytes[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_NO_THROW(outcome(bytes)) << bit;
  }
}

TEST_P(ImageDamage, EveryReplacedByteIsRefusedOrHarmless) {
  const std::string good = image();
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = good;
    for (std::size_t changed = 1 + random() % 4; changed > 0; --changed)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    EXPECT_NO_THROW(outcome(bytes)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(, ImageDamage,
                         testing::Values("rgb.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg", "rgb.png", "bits.png",
                                         "palette.png", "alpha.png", "gray_16.png"),
                         [](const auto& param) {
                           std::string name = param.param;
                           name[name.find('.')] = '_';
                           return name;
                         });

}  // namespace
}  // namespace qdq
