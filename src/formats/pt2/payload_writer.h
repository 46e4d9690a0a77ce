#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/flat_map.h"
#include "formats/archive/zip_writer.h"
#include "qdq/program.h"

namespace qdq::pt2 {

// Writes one of data/weights and data/constants: the tensors' bytes, an entry for each distinct storage (tensors that
// share one keep sharing), and the configuration that maps names to them.
class PayloadWriter {
 public:
  // `folder` with the root; `prefix` of the entries' names.
  PayloadWriter(std::string folder, std::string_view prefix) : folder_(std::move(folder)), prefix_(prefix) {}

  void add(const Attribute& attribute);
  // A pickle that we carry: an entry `path` under `folder`, named `name` in the configuration.
  void add_pickled(std::string path, std::string name, std::string_view bytes);
  void write(ZipWriter& zip, std::string_view config_name) const;

 private:
  std::size_t group_of(const Tensor& tensor);

  // Tensors of one dtype over one storage, and the bytes of it that any of them can reach.
  struct Group {
    Tensor sample;
    std::size_t begin = 0;
    std::size_t end = 0;
    bool used = false;
  };
  struct Pickle {
    std::string path;
    std::string name;
    std::string_view bytes;
  };
  struct Item {
    const Attribute* attribute;
    std::size_t group;
  };

  std::string folder_;
  std::string prefix_;
  std::vector<Group> groups_;
  std::vector<Item> items_;
  std::vector<Pickle> pickles_;
  // Groups by storage: each dtype over it has one of its own.
  FlatMap<const Storage*, std::vector<std::size_t>> groups_of_;
};

}  // namespace qdq::pt2
