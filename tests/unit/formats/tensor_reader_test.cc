#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <sstream>

#include "qdq/data.h"
#include "qdq/error.h"
#include "support/temporary_folder.h"

namespace qdq {
namespace {

Tensor ramp(Shape sizes) {
  const Tensor tensor = Tensor::empty(DType::float32, std::move(sizes));
  for (std::int64_t i = 0; i < tensor.numel(); ++i) tensor.data<float>()[i] = static_cast<float>(i);
  return tensor;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(std::string& text, std::size_t value, int width) {
  for (int i = 0; i < width; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
}

// A zip archive with one deflated entry, as numpy.savez_compressed writes it.
std::string deflated_archive(const std::string& name, const std::string& data, std::uint32_t crc) {
  std::string packed(compressBound(data.size()), '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);

  std::string common;  // version, flags, method, time and date, checksum, sizes, lengths of name and extra field
  put(common, 20, 2), put(common, 0, 2), put(common, 8, 2), put(common, 0, 4), put(common, crc, 4);
  put(common, packed.size(), 4), put(common, data.size(), 4), put(common, name.size(), 2), put(common, 0, 2);
  std::string archive = "PK\3\4" + common + name + packed;
  const std::size_t directory = archive.size();
  archive += "PK\1\2";
  put(archive, 20, 2), archive += common, put(archive, 0, 6), put(archive, 0, 4), put(archive, 0, 4);
  archive += name;
  const std::size_t size = archive.size() - directory;
  archive += "PK\5\6";
  put(archive, 0, 4), put(archive, 1, 2), put(archive, 1, 2), put(archive, size, 4), put(archive, directory, 4);
  put(archive, 0, 2);
  return archive;
}

std::uint32_t checksum(const std::string& data) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
}

class TensorReaders : public testing::Test {
 protected:
  void SetUp() override {
    save_tensors(folder_ / "x.npy", {{"x", ramp({5, 2})}});
    npy_ = bytes_of(folder_ / "x.npy");
  }
  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  TemporaryFolder folder_;
  std::string npy_;  // x.npy: 0 to 9 in [5, 2]
};

TEST_F(TensorReaders, GiveTheSamePartsOfEveryFormat) {
  save_tensors(folder_ / "x.npz", {{"x", ramp({5, 2})}});
  save_tensors(folder_ / "x.safetensors", {{"x", ramp({5, 2})}});
  write("deflated.npz", deflated_archive("x.npy", npy_, checksum(npy_)));
  // At an offset that is no multiple of 4.
  std::string odd = R"({"x":{"dtype":"F32","shape":[5,2],"data_offsets":[0,40]}} )";
  std::string header;
  put(header, odd.size(), 8);
  ASSERT_NE((8 + odd.size()) % 4, 0U);
  write("odd.safetensors", header + odd + npy_.substr(npy_.size() - 40));
  for (const char* name : {"x.npy", "x.npz", "x.safetensors", "deflated.npz", "odd.safetensors"}) {
    SCOPED_TRACE(name);
    const auto readers = open_tensors(folder_ / name);
    ASSERT_EQ(readers.size(), 1U);
    TensorReader& reader = *readers[0];
    EXPECT_EQ(reader.name(), "x");
    EXPECT_EQ(reader.sizes(), (Shape{5, 2}));
    for (int pass = 0; pass < 2; ++pass) {  // the second one goes back to the beginning
      EXPECT_TRUE(bit_equal(reader.read(1, 2), Tensor::from<float>({2, 3, 4, 5}, {2, 2})));
      EXPECT_TRUE(bit_equal(reader.read(4, 1), Tensor::from<float>({8, 9}, {1, 2})));
    }
    EXPECT_EQ(reader.read(5, 0).numel(), 0);
    EXPECT_TRUE(bit_equal(reader.read_all(), ramp({5, 2})));
    EXPECT_THROW(reader.read(4, 2), InvalidArgumentError);
    EXPECT_THROW(reader.read(-1, 1), InvalidArgumentError);
  }
}

TEST_F(TensorReaders, ReadFortranOrderScalarsAndNothing) {
  const std::size_t at = npy_.find("False");
  std::string fortran = npy_;
  fortran.replace(at, 5, "True ");
  write("fortran.npy", fortran);
  write("fortran.npz", deflated_archive("x.npy", fortran, checksum(fortran)));
  for (const char* name : {"fortran.npy", "fortran.npz"}) {
    const auto readers = open_tensors(folder_ / name);
    EXPECT_TRUE(bit_equal(readers.at(0)->read(1, 1), Tensor::from<float>({1, 6}, {1, 2})));
  }
  save_tensors(folder_ / "s.npz",
               {{"scalar", Tensor::scalar<std::int64_t>(7)}, {"none", Tensor::empty(DType::int8, {0})}});
  const auto readers = open_tensors(folder_ / "s.npz");
  EXPECT_EQ(readers.at(0)->read_all().item(), 7);
  EXPECT_THROW(readers.at(0)->read(0, 1), InvalidArgumentError);
  EXPECT_EQ(readers.at(1)->read(0, 0).sizes(), (Shape{0}));
  EXPECT_TRUE(bit_equal(open_tensor({"m", ramp({3})})->read(1, 2), Tensor::from<float>({1, 2}, {2})));
}

TEST_F(TensorReaders, CompareTheChecksumWithTheLastElement) {
  write("damaged.npz", deflated_archive("x.npy", npy_, checksum(npy_) ^ 1));
  const auto readers = open_tensors(folder_ / "damaged.npz");
  readers.at(0)->read(0, 4);
  EXPECT_THROW(readers.at(0)->read(4, 1), FormatError);
}

TEST_F(TensorReaders, RefuseAFileThatEndsTooEarly) {
  write("short.npy", npy_.substr(0, npy_.size() - 1));
  EXPECT_THROW(open_tensors(folder_ / "short.npy"), FormatError);
  write("short.npz", deflated_archive("x.npy", npy_.substr(0, 60), checksum(npy_.substr(0, 60))));
  EXPECT_THROW(open_tensors(folder_ / "short.npz"), FormatError);
}

class NpyStreams : public TensorReaders {
 protected:
  // The message of the FormatError that the next array must cause.
  static std::string refusal(NpyStream& stream) {
    try {
      stream.next();
    } catch (const FormatError& error) {
      return error.what();
    }
    return "read";
  }
};

TEST_F(NpyStreams, GiveOneArrayAfterTheOther) {
  std::istringstream text(npy_ + npy_);
  NpyStream stream(text, "standard input");
  for (int i = 0; i < 2; ++i) {
    const std::optional<Tensor> array = stream.next();
    ASSERT_TRUE(array.has_value());
    EXPECT_TRUE(bit_equal(*array, ramp({5, 2})));
  }
  EXPECT_FALSE(stream.next().has_value());
}

TEST_F(NpyStreams, SayWhichArrayAndWhichByteIsWrong) {
  std::istringstream cut(npy_ + npy_.substr(0, npy_.size() - 3));
  NpyStream stream(cut, "standard input");
  stream.next();
  const std::string where = std::to_string(2 * npy_.size() - 3);
  EXPECT_EQ(refusal(stream),
            "[load] standard input, array 2 at byte " + where + ": the stream ends here, 3 bytes too early");
  std::istringstream other("PK\3\4 and so on");
  NpyStream archive(other, "standard input");
  EXPECT_EQ(refusal(archive), "[load] standard input, array 1 at byte 0: expected a .npy (\"\\x93NUMPY\")");
  std::istringstream tiny("\x93NUM");
  NpyStream start(tiny, "standard input");
  EXPECT_NE(refusal(start), "read");
}

TEST_F(NpyStreams, DoNotAllocateWhatAHeaderClaims) {
  std::string claim = npy_;
  claim.replace(claim.find("(5, 2)"), 6, "(1<<0)");
  std::istringstream malformed(claim);
  NpyStream stream(malformed, "-");
  EXPECT_NE(refusal(stream).find("expected"), std::string::npos);
  std::string huge = npy_;
  const std::size_t at = huge.find("(5, 2), }");
  huge.replace(at, 33, "(1000000000000, 250000), }       ");  // 10^18 bytes
  std::istringstream text(huge);
  NpyStream terabytes(text, "-");
  EXPECT_NE(refusal(terabytes).find("too early"), std::string::npos);
}

}  // namespace
}  // namespace qdq
