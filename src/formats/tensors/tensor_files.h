#pragma once
#include <filesystem>
#include <vector>

#include "qdq/data.h"
#include "qdq/io.h"

// The functions for each format of tensor files; qdq/io.h and qdq/data.h have the contract.
namespace qdq {

std::vector<NamedTensor> load_npy(const std::filesystem::path& path, const LoadOptions& options);
std::vector<std::unique_ptr<TensorReader>> open_npy(const std::filesystem::path& path);
void save_npy(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);
std::vector<NamedTensor> load_npz(const std::filesystem::path& path, const LoadOptions& options);
std::vector<std::unique_ptr<TensorReader>> open_npz(const std::filesystem::path& path);
void save_npz(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);
std::vector<NamedTensor> load_safetensors(const std::filesystem::path& path, const LoadOptions& options);
std::vector<std::unique_ptr<TensorReader>> open_safetensors(const std::filesystem::path& path);
void save_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);

// A .safetensors with the strings of its "__metadata__", in the order of the file.
struct SafetensorsFile {
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<NamedTensor> tensors;
};
SafetensorsFile read_safetensors(const std::filesystem::path& path);
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);

}  // namespace qdq
