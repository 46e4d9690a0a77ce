#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <set>

#include "formats/archive/atomic_file.h"
#include "formats/archive/zip_reader.h"
#include "formats/archive/zip_writer.h"
#include "support/temporary_folder.h"
#include "support/zip_bytes.h"

namespace qdq {
namespace {

class Zip : public testing::Test {
 protected:
  ZipReader open(const std::string& bytes) {
    const auto path = folder_ / ("file" + std::to_string(count_++) + ".zip");  // an old mapping must stay as it is
    std::ofstream(path, std::ios::binary) << bytes;
    return ZipReader(MappedFile::open(path));
  }
  std::string refusal(const std::string& bytes) {
    try {
      open(bytes);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "opened";
  }
  bool refuses(const ZipEntryBytes& entry, const std::string& why) {
    const std::string message = refusal(archive({entry}));
    if (message.find(why) == std::string::npos) ADD_FAILURE() << message;
    return true;
  }
  // The archive that `fill` makes, every entry of which starts at a multiple of 64 and has the checksum that it says.
  template <typename Fill>
  ZipReader written(const Fill& fill) {
    const auto path = folder_ / "out.zip";
    AtomicFile file(path);
    ZipWriter writer(file);
    fill(writer);
    writer.finish();
    file.commit();
    ZipReader zip(MappedFile::open(path));
    for (const ZipEntry& entry : zip.entries()) {
      EXPECT_EQ(entry.data_offset % 64, 0u) << entry.name;
      EXPECT_NO_THROW(zip.verify_checksum(entry)) << entry.name;
    }
    return zip;
  }
  TemporaryFolder folder_;
  int count_ = 0;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(Zip, ReadsStoredEntriesInPlace) {
  const ZipReader zip = open(archive({ZipEntryBytes{}}));
  ASSERT_EQ(zip.entries().size(), 1u);
  const ZipEntry* entry = zip.find("a");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->data_offset, 31u);  // 30 bytes of header, 1 of name
  EXPECT_EQ(text_of(zip.stored_bytes(*entry)), "hello");
  EXPECT_NO_THROW(zip.verify_checksum(*entry));
  EXPECT_EQ(zip.find("b"), nullptr);
}

TEST_F(Zip, WritesWhatItReads) {
  const ZipReader zip = written([](ZipWriter& writer) {
    writer.add("one", std::string_view("first"));
    writer.add("two/three", std::string_view(""));
    writer.add("four", std::string_view("\0\1\2", 3));
  });
  ASSERT_EQ(zip.entries().size(), 3u);
  EXPECT_EQ(text_of(zip.stored_bytes(*zip.find("four"))), std::string("\0\1\2", 3));
}

TEST_F(Zip, WritesAnEntryPieceByPiece) {
  const std::string large(200000, 'x');
  const ZipReader zip = written([&](ZipWriter& writer) {
    writer.add("before", std::string_view("first"));
    writer.begin("pieces");
    for (const std::string_view piece : {std::string_view("a"), std::string_view(large), std::string_view("")})
      writer.append(std::as_bytes(std::span(piece)));
    writer.end();
    writer.begin("none");
    writer.end();
    writer.add("after", std::string_view("last"));
  });
  ASSERT_EQ(zip.entries().size(), 4u);
  EXPECT_EQ(text_of(zip.stored_bytes(*zip.find("pieces"))), "a" + large);
  EXPECT_EQ(text_of(zip.stored_bytes(*zip.find("none"))), "");
  EXPECT_EQ(text_of(zip.stored_bytes(*zip.find("after"))), "last");
}

TEST_F(Zip, RefusesEveryTruncation) {
  const std::string good = archive({ZipEntryBytes{}});
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_NE(refusal(good.substr(0, length)), "opened") << length;
  EXPECT_NE(refusal(good + "x"), "opened");
  EXPECT_NE(refusal("x" + good), "opened");
}

TEST_F(Zip, RefusesEntriesThatContradictThemselves) {
  refuses({.local_name = "b"}, "its local header says 'b'");
  refuses({.size = 4}, "sizes or checksum differ");
  refuses({.crc = 1}, "sizes or checksum differ");
  refuses({.offset = 1}, "expected its local header here");
  refuses({.offset = 0xfffffff0}, "expected its local header here");
  refuses({.flags = 1}, "encrypted");
  refuses({.method = 9}, "expected method 0 (stored) or 8 (deflated), found 9");
  refuses({.size = 0xffffffff}, "zip64 field is missing");
}

TEST_F(Zip, RefusesNamesThatLeaveTheFolder) {
  for (const char* name : {"/a", "../a", "a/../b", "a//b", "./a", "a/.", "a\\b", "c:a", "..", "a\nb", ""}) {
    SCOPED_TRACE(name);
    refuses({.name = name, .local_name = name}, "the name");
  }
}

TEST_F(Zip, RefusesTwoEntriesOfOneName) {
  ZipEntryBytes second;
  second.offset = static_cast<std::uint32_t>(local_part({}).size());
  EXPECT_NE(refusal(archive({ZipEntryBytes{}, second})).find("a second entry has the name 'a'"), std::string::npos);
}

TEST_F(Zip, RefusesEntriesThatOverlap) {
  // The second entry's header lies inside the first one's data.
  ZipEntryBytes inner{.name = "b", .local_name = "b"};
  const std::string inner_bytes = local_part(inner);
  ZipEntryBytes outer{
      .data = inner_bytes, .size = static_cast<std::uint32_t>(inner_bytes.size()), .crc = checksum(inner_bytes)};
  inner.offset = 31;
  const std::string locals = local_part(outer);
  const std::string directory = directory_part(outer) + directory_part(inner);
  EXPECT_NE(refusal(locals + directory + end_part(2, directory.size(), locals.size())).find("overlaps"),
            std::string::npos);
}

TEST_F(Zip, RefusesDirectoriesThatCannotBe) {
  const std::string local = local_part({});
  const std::string directory = directory_part({});
  EXPECT_NE(
      refusal(local + directory + end_part(60000, directory.size(), local.size())).find("cannot hold 60000 entries"),
      std::string::npos);
  EXPECT_NE(refusal(local + directory + end_part(1, directory.size() - 1, local.size())), "opened");
  EXPECT_NE(refusal(local + directory + end_part(1, directory.size(), local.size() + 1)), "opened");
  EXPECT_NE(refusal(local + directory + end_part(0, directory.size(), local.size())), "opened");
}

TEST_F(Zip, ReadsZip64AndRefusesDamagedOnes) {
  const std::string local = local_part({});
  Bytes wide_sizes;
  wide_sizes.u16(zip::kZip64Extra).u16(16).u64(5).u64(5);
  ZipEntryBytes entry{.size = 0xffffffff, .extra = wide_sizes.text};
  const std::string directory = directory_part(entry);
  auto end64 = [&](std::uint64_t count, std::uint64_t at) {
    Bytes b;
    b.u32(zip::kZip64End)
        .u64(44)
        .u16(45)
        .u16(45)
        .u32(0)
        .u32(0)
        .u64(count)
        .u64(count)
        .u64(directory.size())
        .u64(local.size());
    b.u32(zip::kZip64Locator).u32(0).u64(at).u32(1);
    return b.text + end_part(0xffff, 0xffffffff, 0xffffffff);
  };
  const std::size_t at = local.size() + directory.size();
  const ZipReader zip = open(local + directory + end64(1, at));
  EXPECT_EQ(text_of(zip.stored_bytes(*zip.find("a"))), "hello");
  EXPECT_NE(refusal(local + directory + end64(1, at + 1)), "opened");
  EXPECT_NE(refusal(local + directory + end64(1, ~std::uint64_t{0})), "opened");
  EXPECT_NE(refusal(local + directory + end64(~std::uint64_t{0}, at)), "opened");
}

TEST_F(Zip, FindsDamagedData) {
  std::string bytes = archive({ZipEntryBytes{}});
  bytes[31] = 'j';
  const ZipReader zip = open(bytes);
  EXPECT_THROW(zip.verify_checksum(zip.entries()[0]), FormatError);
}

TEST_F(Zip, RefusesDeflatedDataThatExpandsTooMuch) {
  ZipEntryBytes bomb{.size = 5, .method = 8};

  const ZipReader zip = open(archive({bomb}));
  EXPECT_THROW(zip.inflate(zip.entries()[0]), FormatError);  // "hello" is no deflate stream
  EXPECT_THROW(zip.stored_bytes(zip.entries()[0]), FormatError);
}

TEST_F(Zip, AFailedSaveLeavesTheOldFileAndNothingElse) {
  const auto path = folder_ / "kept";
  std::ofstream(path) << "old";
  {
    AtomicFile file(path);
    file.write(std::string_view("new"));
  }
  std::string text;
  std::ifstream(path) >> text;
  EXPECT_EQ(text, "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
  EXPECT_THROW(AtomicFile(folder_ / "no/such/folder"), IoError);
}

TEST_F(Zip, ASaveThroughALinkReplacesTheFileAndKeepsTheLink) {
  std::filesystem::create_directory(folder_ / "models");
  std::filesystem::create_symlink("models/v1.pt2", folder_ / "latest");
  for (const char* text : {"first", "second"}) {
    AtomicFile file(folder_ / "latest");
    file.write(std::string_view(text));
    file.commit();
    EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "latest"));
    std::string found;
    std::ifstream(folder_ / "models/v1.pt2") >> found;
    EXPECT_EQ(found, text);
  }
}

TEST_F(Zip, ASaveRemovesWhatAKilledProcessLeft) {
  const auto names = [&] {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      found.insert(entry.path().filename().string());
    return found;
  };
  const std::set<std::string> others = {".b.pt2.7.0.tmp", ".a.pt2.tmp", ".a.pt2.7.0.tmp~", ".a.pt2.x.0.tmp",
                                        ".a.pt2.7.tmp"};
  for (const std::string& name : others) std::ofstream(folder_ / name) << "not ours";
  for (const char* name : {".a.pt2.7.0.tmp", ".a.pt2.123456.12.tmp", ".a.pt2.checkpoint.7.0.tmp"})
    std::ofstream(folder_ / name) << "half";
  {
    AtomicFile under_way(folder_ / "a.pt2");
    EXPECT_EQ(names().size(), others.size() + 1);  // the left-overs are gone, ours is there
    AtomicFile second(folder_ / "a.pt2");
    EXPECT_EQ(names().size(), others.size() + 2);  // what is under way stays
    second.commit();
    under_way.commit();
  }
  std::set<std::string> expected = others;
  expected.insert("a.pt2");
  EXPECT_EQ(names(), expected);
}

}  // namespace
}  // namespace qdq
