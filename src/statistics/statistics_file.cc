// A .safetensors whose metadata says what the tensors belong to; docs/calibration.md has every byte.
#include <algorithm>
#include <map>
#include <unordered_set>

#include "formats/json/json.h"
#include "formats/json/json_writer.h"
#include "formats/tensors/tensor_files.h"
#include "qdq/error.h"
#include "qdq/statistics.h"
#include "statistics/options_json.h"

namespace qdq {
namespace {

constexpr std::string_view kFormat = "qdq.statistics";
constexpr std::string_view kVersion = "1";

std::string observers_json(const Statistics& statistics) {
  json::Writer writer;
  writer.begin_array();
  for (const ObserverStatistics& seen : statistics.observers) {
    writer.begin_object().key("targets").begin_array();
    for (const std::string& target : seen.targets) writer.string(target);
    writer.end().member("kind", seen.kind).key("options");
    write_options(writer, seen.options);
    writer.end();
  }
  return std::string(writer.end().text());
}

std::string progress_json(const Statistics& statistics) {
  json::Writer writer;
  writer.begin_object().member("samples", statistics.samples).member("batches", statistics.batches);
  writer.member("is_complete", statistics.is_complete).key("shards").begin_array();
  for (const Shard& shard : statistics.shards) writer.string(to_string(shard));
  return std::string(writer.end().end().text());
}

class Reader {
 public:
  explicit Reader(SafetensorsFile file) : file_(std::move(file)) {}

  Statistics read() {
    if (metadata("format") != kFormat)
      json::fail("expected the format '" + std::string(kFormat) + "', found '" + metadata("format") + "'");
    if (metadata("version") != kVersion)
      json::fail("expected version " + std::string(kVersion) + ", found '" + metadata("version") + "'");
    Statistics statistics;
    statistics.program = metadata("program");
    statistics.recipe = json_text("recipe");
    statistics.run = json_text("run");
    statistics.data = json_text("data");
    parse("progress", [&](json::Element element) { read_progress(json::object(element), statistics); });
    parse("observers", [&](json::Element element) {
      json::each(element,
                 [&](json::Element item) { statistics.observers.push_back(read_observer(json::object(item))); });
    });
    take_tensors(statistics);
    return statistics;
  }

 private:
  const std::string& metadata(std::string_view key) const {
    for (const auto& [name, value] : file_.metadata)
      if (name == key) return value;
    json::fail("no '" + std::string(key) + "': the file does not hold calibration statistics");
  }

  // fn(root) of the JSON text under `key`.
  template <typename Fn>
  void parse(std::string_view key, Fn&& fn) const {
    json::within([&] { return json::member(key); },
                 [&] {
                   const json::Document document(std::as_bytes(std::span(metadata(key))));
                   fn(document.root());
                 });
  }

  // The text of a part that others understand: only that it is JSON is checked here.
  std::string json_text(std::string_view key) const {
    parse(key, [](json::Element) {});
    return metadata(key);
  }

  static std::int64_t count(json::Element element) {
    const std::int64_t value = json::integer(element);
    if (value < 0) json::fail("expected a number from 0, found " + std::to_string(value));
    return value;
  }

  static void read_progress(json::Object object, Statistics& statistics) {
    statistics.samples = json::at(object, "samples", count);
    statistics.batches = json::at(object, "batches", count);
    statistics.is_complete = json::at(object, "is_complete", json::boolean);
    json::at(object, "shards", [&](json::Element shards) {
      json::each(shards, [&](json::Element shard) {
        try {
          statistics.shards.push_back(shard_from_text(json::string(shard)));
        } catch (const InvalidArgumentError& error) {
          json::fail(error.what());
        }
      });
    });
    const bool ascend = std::ranges::adjacent_find(statistics.shards, [](const Shard& a, const Shard& b) {
                          return a >= b || a.count != b.count;
                        }) == statistics.shards.end();
    if (!ascend) json::fail("expected shards of one count in ascending order");
  }

  ObserverStatistics read_observer(json::Object object) {
    ObserverStatistics seen;
    json::at(object, "targets", [&](json::Element targets) {
      json::each(targets, [&](json::Element target) {
        const std::string_view name = json::string(target);
        if (!targets_.emplace(name).second) json::fail("'" + std::string(name) + "' has an observer already");
        seen.targets.emplace_back(name);
      });
      if (seen.targets.empty()) json::fail("expected one name at least");
    });
    seen.kind = json::at(object, "kind", json::string);
    seen.options = json::at(object, "options", read_options);
    return seen;
  }

  // Each tensor is a buffer of the observer whose first target is its name up to the last dot.
  void take_tensors(Statistics& statistics) {
    std::map<std::string, ObserverState*, std::less<>> states;
    for (ObserverStatistics& seen : statistics.observers) states[seen.targets.front()] = &seen.state;
    for (NamedTensor& tensor : file_.tensors) {
      const std::size_t dot = tensor.name.rfind('.');
      const auto state = states.find(std::string_view(tensor.name).substr(0, dot));
      if (dot == std::string::npos || state == states.end())
        json::fail("the tensor '" + tensor.name + "' belongs to no observer");
      state->second->buffers.emplace_back(tensor.name.substr(dot + 1), std::move(tensor.value));
    }
  }

  SafetensorsFile file_;
  std::unordered_set<std::string> targets_;
};

}  // namespace

Statistics load_statistics(const std::filesystem::path& path) {
  SafetensorsFile file = read_safetensors(path);
  try {
    return Reader(std::move(file)).read();
  } catch (const json::Error& error) {
    throw FormatError("[load] " + path.string() + ": in __metadata__" + error.path + ": " + error.what);
  }
}

void save_statistics(const std::filesystem::path& path, const Statistics& statistics) {
  SafetensorsFile file;
  file.metadata = {{"format", std::string(kFormat)},
                   {"version", std::string(kVersion)},
                   {"program", statistics.program},
                   {"recipe", statistics.recipe},
                   {"run", statistics.run},
                   {"data", statistics.data},
                   {"progress", progress_json(statistics)},
                   {"observers", observers_json(statistics)}};
  for (const ObserverStatistics& seen : statistics.observers)
    for (const auto& [buffer, value] : seen.state.buffers)
      file.tensors.push_back({seen.targets.front() + "." + buffer, value});
  write_safetensors(path, file);
}

}  // namespace qdq
