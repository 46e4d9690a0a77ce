#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "qdq/io.h"
#include "support/temporary_folder.h"

namespace qdq {
namespace {

class TensorFiles : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  std::string read(const std::string& name) {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // The message of the FormatError that loading `name` must throw.
  std::string refusal(const std::string& name) {
    try {
      load_tensors(folder_ / name);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "loaded";
  }
  TemporaryFolder folder_;
};

std::string npy_bytes(const std::string& dict, const std::string& data) {
  std::string header = "\x93NUMPY";
  header += '\1';
  header += '\0';
  header += static_cast<char>(dict.size());
  header += '\0';
  return header + dict + data;
}

TEST_F(TensorFiles, SaveAndLoadEveryFormat) {
  const std::vector<NamedTensor> tensors = {{"a/b", Tensor::from<float>({1.5f, -2.0f, 3.25f}, {3})},
                                            {"c", Tensor::from<std::int8_t>({-1, 2, 3, 4, 5, 6}, {2, 3})},
                                            {"scalar", Tensor::scalar<std::int64_t>(7)},
                                            {"none", Tensor::empty(DType::bool_, {0, 4})}};
  for (const char* name : {"x.npz", "x.safetensors"}) {
    SCOPED_TRACE(name);
    save_tensors(folder_ / name, tensors);
    const auto loaded = load_tensors(folder_ / name, {.verify_weights = true});
    ASSERT_EQ(loaded.size(), tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      EXPECT_EQ(loaded[i].name, tensors[i].name);
      EXPECT_TRUE(bit_equal(loaded[i].value, tensors[i].value)) << tensors[i].name;
    }
  }
  save_tensors(folder_ / "one.npy", {tensors[1]});
  const auto loaded = load_tensors(folder_ / "one.npy");
  EXPECT_EQ(loaded.at(0).name, "one");
  EXPECT_TRUE(bit_equal(loaded[0].value, tensors[1].value));
}

TEST_F(TensorFiles, SaveViewsInRowMajorOrder) {
  const std::array<std::int64_t, 2> dims = {1, 0};
  const Tensor t = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3}).permute(dims);
  save_tensors(folder_ / "t.npy", {{"t", t}});
  EXPECT_TRUE(bit_equal(load_tensors(folder_ / "t.npy").at(0).value, Tensor::from<float>({1, 4, 2, 5, 3, 6}, {3, 2})));
}

TEST_F(TensorFiles, KeepBfloat16InSafetensorsOnly) {
  const Tensor t = Tensor::from<float>({1, -3}, {2}).to(DType::bfloat16);
  save_tensors(folder_ / "t.safetensors", {{"t", t}});
  EXPECT_TRUE(bit_equal(load_tensors(folder_ / "t.safetensors").at(0).value, t));
  EXPECT_THROW(save_tensors(folder_ / "t.npz", {{"t", t}}), InvalidArgumentError);
  EXPECT_EQ(read("t.npz"), "") << "a failed save must leave no file";
}

TEST_F(TensorFiles, GiveTheSameBytesForTheSameTensors) {
  const std::vector<NamedTensor> tensors = {{"a", Tensor::from<float>({1, 2}, {2})}, {"b", Tensor::scalar(true)}};
  for (const char* extension : {".npz", ".safetensors"}) {
    save_tensors(folder_ / ("one" + std::string(extension)), tensors);
    save_tensors(folder_ / ("two" + std::string(extension)), tensors);
    EXPECT_EQ(read("one" + std::string(extension)), read("two" + std::string(extension)));
  }
}

TEST_F(TensorFiles, ReadFortranOrderAndOddHeaders) {
  write("f.npy",
        npy_bytes("{\"shape\": (2, 2L), 'fortran_order': True, 'descr': '=i2'}\n", std::string("\1\0\2\0\3\0\4\0", 8)));
  const Tensor t = load_tensors(folder_ / "f.npy").at(0).value;
  EXPECT_TRUE(bit_equal(t, Tensor::from<std::int16_t>({1, 3, 2, 4}, {2, 2})));
  write("s.npy", npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (), }\n", "\x2a"));
  EXPECT_EQ(load_tensors(folder_ / "s.npy").at(0).value.item(), 42.0);
}

TEST_F(TensorFiles, RefuseDamagedNpy) {
  const std::string good = npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n", "abc");
  for (std::size_t length = 0; length < good.size(); ++length) {
    write("cut.npy", good.substr(0, length));
    EXPECT_NE(refusal("cut.npy"), "loaded") << length;
  }
  write("o.npy", npy_bytes("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "........"));
  EXPECT_NE(refusal("o.npy").find("unknown dtype '|O': Python objects are pickles, which are never opened"),
            std::string::npos);
  write("b.npy", npy_bytes("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "...."));
  EXPECT_NE(refusal("b.npy").find("big-endian data is not read"), std::string::npos);
  write("h.npy", npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 2), }", ""));
  EXPECT_NE(refusal("h.npy").find("too many elements"), std::string::npos);
  write("n.npy", npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", ""));
  EXPECT_NE(refusal("n.npy").find("expected a size"), std::string::npos);
}

std::string safetensors_bytes(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header + data;
}

TEST_F(TensorFiles, RefuseDamagedSafetensors) {
  write(
      "h.safetensors",
      safetensors_bytes(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
          "xyz"));
  EXPECT_NE(
      refusal("h.safetensors").find("the data of 'b' starts at 2, expected 1: overlaps and holes are not allowed"),
      std::string::npos);
  write(
      "o.safetensors",
      safetensors_bytes(
          R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
          "xy"));
  EXPECT_NE(refusal("o.safetensors"), "loaded");
  write("s.safetensors", safetensors_bytes(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,2]}})", "xy"));
  EXPECT_NE(refusal("s.safetensors").find(".a: shape [2] of float32 does not take the 2 bytes"), std::string::npos);
  write("e.safetensors", safetensors_bytes(R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", "xy"));
  EXPECT_NE(refusal("e.safetensors"), "loaded");
  write(
      "d.safetensors",
      safetensors_bytes(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
          "xy"));
  EXPECT_NE(refusal("d.safetensors").find("occurs twice"), std::string::npos);
  write("t.safetensors", std::string(8, '\xff'));
  EXPECT_NE(refusal("t.safetensors"), "loaded");
}

TEST_F(TensorFiles, RefuseNamesTwiceAndTensorsWithoutData) {
  const Tensor t = Tensor::scalar(1.0f);
  EXPECT_THROW(save_tensors(folder_ / "t.npz", {{"a", t}, {"a", t}}), InvalidArgumentError);
  EXPECT_THROW(save_tensors(folder_ / "t.npz", {{"a", Tensor()}}), InvalidArgumentError);
  EXPECT_THROW(save_tensors(folder_ / "t.npz", {{"../a", t}}), InvalidArgumentError);
  EXPECT_THROW(save_tensors(folder_ / "t.npy", {{"a", t}, {"b", t}}), InvalidArgumentError);
  EXPECT_THROW(save_tensors(folder_ / "t.txt", {{"a", t}}), InvalidArgumentError);
  EXPECT_TRUE(folder_.is_empty());
}

}  // namespace
}  // namespace qdq
