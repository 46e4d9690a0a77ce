#include "formats/archive/atomic_file.h"
#include "formats/archive/zip_writer.h"
#include "formats/pt2/payload_writer.h"
#include "formats/pt2/pt2.h"
#include "formats/pt2/schema.h"
#include "formats/pt2/write_program.h"

namespace qdq {
namespace {

// The folder that holds everything. torch takes it from the file's name; the same program shall give the same bytes.
constexpr std::string_view kRoot = "model/";

}  // namespace

void save_pt2(const Program& program, const std::filesystem::path& path) {
  const std::string root(kRoot);
  pt2::PayloadWriter weights(root + std::string(pt2::kWeights), pt2::kWeightPrefix);
  pt2::PayloadWriter constants(root + std::string(pt2::kConstants), pt2::kConstantPrefix);
  for (const Attribute& attribute : program.attributes) {
    if (attribute.kind == AttributeKind::custom_obj) continue;
    const bool in_state =
        attribute.kind == AttributeKind::parameter || (attribute.kind == AttributeKind::buffer && attribute.persistent);
    (in_state ? weights : constants).add(attribute);
  }
  AtomicFile file(path);
  ZipWriter zip(file);
  zip.add(root + "archive_format", std::string_view("pt2"));
  zip.add(root + "archive_version", std::string_view("0"));
  zip.add(root + ".data/version", std::string_view("6\n"));
  zip.add(root + "byteorder", std::string_view("little"));
  for (const auto& [key, value] : program.passthrough) {
    if (key.starts_with("extra/")) zip.add(root + key, std::string_view(value));
    if (!key.starts_with(pt2::kPickledObject)) continue;
    const std::string rest = key.substr(pt2::kPickledObject.size());
    const std::size_t colon = rest.find(':');
    if (colon == std::string::npos) throw FormatError("[save] '" + key + "': expected '<file>:<name>'");
    constants.add_pickled(rest.substr(0, colon), rest.substr(colon + 1), value);
  }
  zip.begin(root + "models/model.json");
  const auto to_zip = [&](std::span<const std::byte> part) { zip.append(part); };
  pt2::write_program(program, json::TextBuffer(to_zip)).flush();
  zip.end();
  // torch wants the entry; an empty one stands for "no sample inputs". We never write pickles of our own.
  zip.add(root + "data/sample_inputs/model.pt", std::string_view());
  weights.write(zip, "model_weights_config.json");
  constants.write(zip, "model_constants_config.json");
  zip.finish();
  file.commit();
}

}  // namespace qdq
