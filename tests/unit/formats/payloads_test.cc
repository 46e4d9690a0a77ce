#include "formats/pt2/payloads.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.h"
#include "support/zip_bytes.h"

namespace qdq::pt2 {
namespace {

std::string entry(const std::string& name, int dtype, int size) {
  return "\"" + name + R"(": {"path_name": "w", "use_pickle": false, "tensor_meta": {"dtype": )" +
         std::to_string(dtype) + R"(, "sizes": [{"as_int": )" + std::to_string(size) +
         R"(}], "strides": [{"as_int": 1}], "storage_offset": {"as_int": 0}, "requires_grad": false, "layout": 7,
             "device": {"type": "cpu", "index": null}}})";
}

// torch's dtypes: 2 is int8, 7 float32.
TEST(Payloads, AlignWhatSeveralDtypesShareForTheWidestOfThem) {
  const TemporaryFolder folder;
  const std::string config = "{\"config\": {" + entry("bytes", 2, 4) + ", " + entry("number", 7, 1) + "}}";
  ZipEntryBytes weight{.name = "w", .local_name = "w", .data = std::string("\0\0\x80\x3f", 4), .size = 4};
  weight.crc = checksum(weight.data);
  ZipEntryBytes described{.name = "c", .local_name = "c", .data = config};
  described.size = static_cast<std::uint32_t>(config.size());
  described.crc = checksum(config);
  described.offset = static_cast<std::uint32_t>(local_part(weight).size());
  const auto path = folder / "weights.zip";
  std::ofstream(path, std::ios::binary) << archive({weight, described});  // the weight's bytes begin at 31

  const ZipReader zip(MappedFile::open(path));
  Payloads payloads(zip, "", "c", true);
  EXPECT_EQ(payloads.tensor("bytes").value.data<std::int8_t>()[3], 0x3f);
  const Tensor number = payloads.tensor("number").value;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(number.raw_data()) % alignof(float), 0U);
  EXPECT_EQ(number.item(), 1.0);
}

}  // namespace
}  // namespace qdq::pt2
