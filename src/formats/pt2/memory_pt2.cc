// A torch.export program without the archive around it: torch's JSON and tensors that are in memory already.
#include <cstring>
#include <unordered_map>

#include "formats/pt2/payloads.h"
#include "formats/pt2/read_program.h"
#include "formats/pt2/write_program.h"
#include "qdq/io.h"

namespace qdq {

Program read_pt2_model(std::string_view json, const std::vector<MemoryTensor>& tensors) {
  std::unordered_map<std::string, const MemoryTensor*> by_name;
  for (const MemoryTensor& tensor : tensors)
    if (!by_name.emplace(tensor.name, &tensor).second)
      throw InvalidArgumentError("[load] the tensor '" + tensor.name + "' is there twice");
  const auto tensor_of = [&](const std::string& name, bool) -> pt2::Payload {
    const auto found = by_name.find(name);
    if (found == by_name.end())
      throw FormatError("[load] the graph reads '" + name + "', which is not among the tensors");
    return {found->second->value, found->second->requires_grad};
  };
  try {
    const json::Document document(std::as_bytes(std::span(json)));
    return pt2::read_program(document.root(), tensor_of);
  } catch (const json::Error& error) {
    throw FormatError("[load] model.json: " + error.path + (error.path.empty() ? "" : ": ") + error.what);
  }
}

std::string write_pt2_model(const Program& program) { return std::string(pt2::write_program(program).str()); }

}  // namespace qdq
