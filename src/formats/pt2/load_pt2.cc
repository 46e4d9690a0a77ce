#include "formats/pt2/payloads.h"
#include "formats/pt2/pt2.h"
#include "formats/pt2/read_program.h"
#include "formats/pt2/schema.h"

namespace qdq {
namespace {

std::string_view text_of(const ZipReader& zip, const ZipEntry& entry) {
  zip.verify_checksum(entry);
  const std::span<std::byte> bytes = zip.stored_bytes(entry);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void expect_text(const ZipReader& zip, const ZipEntry& entry, std::string_view expected) {
  const std::string_view found = text_of(zip, entry);
  if (found != expected)
    throw zip.error(entry,
                    "expected '" + std::string(expected) + "', found '" + std::string(found.substr(0, 40)) + "'");
}

// The one "<root>models/<name>.json".
std::string model_name(const ZipReader& zip, const std::string& root) {
  const std::string prefix = root + "models/";
  constexpr std::string_view suffix = ".json";
  std::string found;
  for (const ZipEntry& entry : zip.entries()) {
    if (!entry.name.starts_with(prefix) || !entry.name.ends_with(suffix)) continue;
    if (!found.empty()) throw zip.error(entry, "expected one model, found a second one beside '" + found + "'");
    found = entry.name.substr(prefix.size(), entry.name.size() - prefix.size() - suffix.size());
    if (found.empty()) throw zip.error(entry, "the model has no name");
  }
  if (found.empty())
    throw FormatError("[load] " + zip.file()->path().string() + ": expected an entry '" + prefix + "*.json'");
  return found;
}

}  // namespace

Program load_pt2(const std::filesystem::path& path, const LoadOptions& options) {
  const ZipReader zip(MappedFile::open(path));
  if (zip.entries().empty())
    throw FormatError("[load] " + path.string() + ": expected a torch.export archive, found an empty zip");
  const std::string& first = zip.entries().front().name;
  const std::string root = first.substr(0, first.find('/')) + "/";
  expect_text(zip, pt2::require_entry(zip, root + "archive_format"), "pt2");
  expect_text(zip, pt2::require_entry(zip, root + "archive_version"), "0");
  if (const ZipEntry* order = zip.find(root + "byteorder")) expect_text(zip, *order, "little");

  const std::string model = model_name(zip, root);
  pt2::Payloads weights(zip, root + std::string(pt2::kWeights), model + "_weights_config.json", options.verify_weights);
  pt2::Payloads constants(zip, root + std::string(pt2::kConstants), model + "_constants_config.json",
                          options.verify_weights);
  Program program;
  pt2::read_json_entry(zip, pt2::require_entry(zip, root + "models/" + model + ".json"), [&](json::Element element) {
    program = pt2::read_program(
        element, [&](const std::string& name, bool in_state) { return (in_state ? weights : constants).tensor(name); });
  });
  constants.keep_pickled_objects(program.passthrough);
  for (const ZipEntry& entry : zip.entries())
    if (entry.name.starts_with(root + "extra/"))
      program.passthrough[entry.name.substr(root.size())] = text_of(zip, entry);
  return program;
}

}  // namespace qdq
