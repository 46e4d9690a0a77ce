// Damaged and hostile archives: every one must be refused with a qdq::Error or read into a program that verifies.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>

#include "formats/archive/zip_reader.h"
#include "formats/archive/zip_writer.h"
#include "graph/verify.h"
#include "qdq/io.h"
#include "support/temporary_folder.h"

namespace qdq {
namespace {

std::filesystem::path compat(const std::string& name) {
  return std::filesystem::path(QDQ_TESTS_DIR) / "compat" / "pt2" / "torch-2.13" / (name + ".pt2");
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class StringSink : public ByteSink {
 public:
  std::string text;

  void rewrite(std::uint64_t position, std::span<const std::byte> bytes) override {
    std::memcpy(text.data() + position, bytes.data(), bytes.size());
  }

 protected:
  void append(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
};

class Pt2Damage : public testing::Test {
 protected:
  // "" when the file was read (and the program verifies and saves or is refused cleanly), else the message.
  std::string outcome(const std::filesystem::path& path) {
    try {
      const Program program = load(path, {.verify_weights = true});
      verify(program, "load");
      if (loaded_++ % 16 == 0) try {  // not each: a save waits for the disk
          save(program, folder_ / "again.pt2");
        } catch (const FormatError&) {
        }
      return "";
    } catch (const FormatError& error) {
      return error.what();
    }
  }
  std::string outcome_of_bytes(const std::string& bytes) {
    const auto path = folder_ / "damaged.pt2";
    std::filesystem::remove(path);  // an older mapping of it must stay whole
    std::ofstream(path, std::ios::binary) << bytes;
    return outcome(path);
  }
  // The archive with one entry's text changed, checksums in order.
  template <typename Edit>
  std::string outcome_of_edit(const std::string& name, const std::string& suffix, Edit&& edit) {
    const ZipReader zip(MappedFile::open(compat(name)));
    StringSink sink;
    ZipWriter writer(sink);
    for (const ZipEntry& entry : zip.entries()) {
      const std::span<std::byte> bytes = zip.stored_bytes(entry);
      std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (entry.name.ends_with(suffix)) edit(text);
      writer.add(entry.name, std::string_view(text));
    }
    writer.finish();
    return outcome_of_bytes(sink.text);
  }
  std::string outcome_of_replacement(const std::string& name, const std::string& suffix, const std::string& from,
                                     const std::string& to) {
    bool found = false;
    const std::string result = outcome_of_edit(name, suffix, [&](std::string& text) {
      const auto at = text.find(from);
      if (at == std::string::npos) return;
      text.replace(at, from.size(), to);
      found = true;
    });
    EXPECT_TRUE(found) << from;
    return result;
  }
  TemporaryFolder folder_;
  int loaded_ = 0;
};

TEST_F(Pt2Damage, EveryTruncationIsRefused) {
  const std::string good = read_file(compat("counter"));
  for (std::size_t length = 0; length < good.size(); length += 41)
    EXPECT_NE(outcome_of_bytes(good.substr(0, length)), "") << length;
}

TEST_F(Pt2Damage, EveryFlippedBitIsRefusedOrHarmless) {
  const std::string good = read_file(compat("counter"));
  std::mt19937 random(1);
  for (int i = 0; i < 1500; ++i) {
    std::string bytes = good;
    bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    EXPECT_NO_THROW(outcome_of_bytes(bytes));
  }
}

// Bytes of the graph itself, with a correct checksum: the reader's own checks have to hold.
TEST_F(Pt2Damage, EveryEditedGraphIsRefusedOrConsistent) {
  std::mt19937 random(2);
  for (const char* name :
       {"conv_net", "control_flow", "dict_outputs_decomposed", "symbols", "keywords", "shared_weights"})
    for (int i = 0; i < 400; ++i) {
      std::string edited;
      EXPECT_NO_THROW(outcome_of_edit(name, ".json", [&](std::string& text) {
        const std::size_t at = random() % text.size();
        switch (random() % 5) {
          case 0: text[at] = "0123456789\"{}[],:-"[random() % 18]; break;
          case 1: text.erase(at, random() % 40); break;
          case 2: text.insert(at, text.substr(random() % text.size(), random() % 60)); break;
          case 3: {  // one string in the place of another
            const auto from = text.find('"', at);
            const auto other = text.find('"', random() % text.size());
            if (from == std::string::npos || other == std::string::npos) return;
            const auto from_end = text.find('"', from + 1);
            const auto other_end = text.find('"', other + 1);
            if (from_end == std::string::npos || other_end == std::string::npos) return;
            text.replace(from, from_end - from, text.substr(other, other_end - other));
            break;
          }
          default: {  // another number
            const auto digit = text.find_first_of("0123456789", at);
            if (digit != std::string::npos)
              text.replace(digit, 1, std::to_string(static_cast<std::int64_t>(random()) - 99));
          }
        }
        edited = text;
      })) << edited;
    }
}

TEST_F(Pt2Damage, MessagesSayFileEntryPathAndWhatWasExpected) {
  const std::string message = outcome_of_replacement("conv_net", "models/model.json", R"("name": "x"}}, "kind": 1)",
                                                     R"("name": "y"}}, "kind": 1)");
  EXPECT_NE(message.find("damaged.pt2, entry 'conv_net/models/model.json' at byte "), std::string::npos) << message;
  EXPECT_NE(message.find(
                ": graph_module.graph.nodes[0] 'conv2d'.inputs[0].arg.as_tensor: 'y' is not defined before this use"),
            std::string::npos)
      << message;
}

TEST_F(Pt2Damage, SyntaxErrorsHaveTheirByte) {
  const std::string message =
      outcome_of_edit("conv_net", "models/model.json", [](std::string& text) { text.insert(100, "\x01"); });
  EXPECT_NE(message.find("JSON syntax error at byte "), std::string::npos) << message;
}

TEST_F(Pt2Damage, OtherSchemasArchivesAndByteOrdersAreRefused) {
  EXPECT_NE(outcome_of_replacement("counter", "models/model.json", R"("major": 8)", R"("major": 9)")
                .find("expected schema version 8, found 9"),
            std::string::npos);
  EXPECT_NE(outcome_of_replacement("counter", "archive_format", "pt2", "pt3").find("expected 'pt2', found 'pt3'"),
            std::string::npos);
  EXPECT_NE(outcome_of_replacement("counter", "archive_version", "0", "1").find("expected '0', found '1'"),
            std::string::npos);
  EXPECT_NE(outcome_of_replacement("counter", "byteorder", "little", "big").find("expected 'little', found 'big'"),
            std::string::npos);
}

TEST_F(Pt2Damage, TensorsThatDoNotFitTheirBytesAreRefused) {
  const char* config = "weights_config.json";
  EXPECT_NE(outcome_of_replacement("conv_net", config, R"("as_int": 4})", R"("as_int": 400000})")
                .find("reaches beyond its storage"),
            std::string::npos);
  EXPECT_NE(outcome_of_replacement("conv_net", config, R"("storage_offset": {"as_int": 0})",
                                   R"("storage_offset": {"as_int": 1})")
                .find("reaches beyond its storage"),
            std::string::npos);
  EXPECT_NE(outcome_of_replacement("conv_net", config, R"("as_int": 4})", R"("as_int": -4})").find("negative size"),
            std::string::npos);
  EXPECT_NE(outcome_of_replacement("conv_net", config, "weight_0", "weight_99").find("which is absent"),
            std::string::npos);
  EXPECT_NE(outcome_of_replacement("conv_net", config, R"("use_pickle": false)", R"("use_pickle": true)")
                .find("never opened"),
            std::string::npos);
  EXPECT_NE(outcome_of_replacement("conv_net", config, R"("dtype": 7)", R"("dtype": 5)"), "");
  EXPECT_NE(outcome_of_replacement("conv_net", config, R"("conv.weight")", R"("conv.height")")
                .find("expected a member 'conv.weight'"),
            std::string::npos);
}

TEST_F(Pt2Damage, NamesThatOccurTwiceAreRefused) {
  EXPECT_NE(outcome_of_replacement("conv_net", "models/model.json", R"("outputs": [{"as_tensor": {"name": "relu"}}])",
                                   R"("outputs": [{"as_tensor": {"name": "conv2d"}}])")
                .find("a second node has the name 'conv2d'"),
            std::string::npos);
  EXPECT_NE(outcome_of_replacement("conv_net", "models/model.json", R"("relu": {"dtype")", R"("conv2d": {"dtype")")
                .find("a second value has the name 'conv2d'"),
            std::string::npos);
}

}  // namespace
}  // namespace qdq
