#include "formats/pt2/payload_writer.h"

#include <algorithm>

#include "formats/json/json_writer.h"
#include "formats/pt2/write_values.h"

namespace qdq::pt2 {
namespace {

// Byte range of the storage that holds the tensor's elements.
std::pair<std::size_t, std::size_t> reach(const Tensor& tensor) {
  std::int64_t last = tensor.storage_offset();
  for (std::size_t d = 0; d < tensor.sizes().size(); ++d) last += (tensor.sizes()[d] - 1) * tensor.strides()[d];
  const std::size_t width = element_size(tensor.dtype());
  return {static_cast<std::size_t>(tensor.storage_offset()) * width, (static_cast<std::size_t>(last) + 1) * width};
}

}  // namespace

// torch reads an entry with one dtype, so two dtypes over one storage cannot share it. Empty tensors share nothing.
std::size_t PayloadWriter::group_of(const Tensor& tensor) {
  const std::size_t next = groups_.size();
  if (tensor.numel() != 0) {
    std::vector<std::size_t>& known = groups_of_[tensor.storage().get()];
    for (const std::size_t group : known)
      if (plain_dtype(groups_[group].sample.dtype()) == plain_dtype(tensor.dtype())) return group;
    known.push_back(next);
  }
  groups_.push_back({tensor, 0, 0, false});
  return next;
}

void PayloadWriter::add(const Attribute& attribute) {
  const Tensor& tensor = attribute.value;
  items_.push_back({&attribute, group_of(tensor)});
  if (tensor.numel() == 0) return;
  Group& group = groups_[items_.back().group];
  const auto [begin, end] = reach(tensor);
  group.begin = group.used ? std::min(group.begin, begin) : begin;
  group.end = std::max(group.end, end);
  group.used = true;
}

void PayloadWriter::add_pickled(std::string path, std::string name, std::string_view bytes) {
  pickles_.push_back({std::move(path), std::move(name), bytes});
}

void PayloadWriter::write(ZipWriter& zip, std::string_view config_name) const {
  auto path_of = [&](std::size_t group) { return prefix_ + std::to_string(group); };
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Group& group = groups_[i];
    std::span<const std::byte> bytes;
    if (group.used) bytes = {group.sample.storage()->data() + group.begin, group.end - group.begin};
    zip.add(folder_ + path_of(i), bytes);
  }
  for (const Pickle& pickle : pickles_) zip.add(folder_ + pickle.path, pickle.bytes);
  zip.begin(folder_ + std::string(config_name));
  json::Writer json(json::TextBuffer([&](std::span<const std::byte> part) { zip.append(part); }));
  json.begin_object().key("config").begin_object();
  for (const auto& [attribute, group] : items_) {
    TensorMeta meta = meta_of(attribute->value);
    const auto start = static_cast<std::int64_t>(groups_[group].begin / element_size(meta.dtype));
    meta.storage_offset = groups_[group].used ? attribute->value.storage_offset() - start : 0;
    meta.requires_grad = attribute->requires_grad && (is_floating_point(meta.dtype) || is_complex(meta.dtype));
    json.key(attribute->name).begin_object().member("path_name", path_of(group));
    json.member("is_param", attribute->kind == AttributeKind::parameter).member("use_pickle", false).key("tensor_meta");
    write_tensor_meta(json, meta);
    json.end();
  }
  for (const Pickle& pickle : pickles_) {
    json.key(pickle.name).begin_object().member("path_name", pickle.path).member("is_param", false);
    json.member("use_pickle", true).key("tensor_meta").null().end();
  }
  json.end().end().take().flush();
  zip.end();
}

}  // namespace qdq::pt2
