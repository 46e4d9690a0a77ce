#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "qdq/program.h"
#include "qdq/tensor.h"

namespace qdq {

struct LoadOptions {
  // Compare the checksums of the weights too, which reads all of them. Those of the graph are always compared.
  bool verify_weights = false;
};

// Reads a program. The extension says the format: ".pt2" is what torch.export.save writes. Weights are mapped from the
// file, which may be replaced or removed afterwards but not shortened in place.
// Throws IoError when the file cannot be opened, FormatError when it is damaged, hostile or of a version that we do not
// read, and InvalidArgumentError for an unknown extension.
Program load(const std::filesystem::path& path, const LoadOptions& options = {});

// How a program is written as ONNX; other formats have no options.
struct SaveOptions {
  std::int64_t opset = 21;  // 13 to 23
  // Activations in int8 are written as uint8 with a zero point that is higher by 128: the same numbers, and what x86
  // kernels multiply. True writes int8, which ONNX Runtime 1.32 cannot load where a linear of rank 3 with a bias follows.
  bool keep_int8 = false;
  // Biases of convolutions and linear layers between quantized values become multiples of input scale * weight scale, which is
  // all that int8 kernels with int32 biases keep of them: those of ONNX Runtime then compute what the file says.
  bool round_biases = false;
};

// Writes a program; the extension says the format. The file appears when it is complete: on an error the old one, if
// any, is still there. Throws IoError, InvalidArgumentError for an unknown extension or option, and FormatError, which
// names the node, for a graph that the format cannot express.
void save(const Program& program, const std::filesystem::path& path, const SaveOptions& options = {});

struct MemoryTensor {
  std::string name;
  Tensor value;
  bool requires_grad = false;
};

// What a .pt2 archive calls models/model.json, with the tensors that it names: torch's programs without a file. The tensors
// are shared. Throws FormatError, with the path into the JSON, and InvalidArgumentError for a name that is there twice.
Program read_pt2_model(std::string_view json, const std::vector<MemoryTensor>& tensors);
// The inverse; the tensors are program.attributes. Throws FormatError, which names the node, for a graph that the format
// cannot express.
std::string write_pt2_model(const Program& program);

struct NamedTensor {
  std::string name;
  Tensor value;
};

// Tensors of a .npy (one, named after the file), .npz or .safetensors file, in the order of the file. Uncompressed data
// is mapped and not copied. Python objects (pickles) are refused. Throws as load().
std::vector<NamedTensor> load_tensors(const std::filesystem::path& path, const LoadOptions& options = {});

// The inverse, atomic as save(). A .npy file takes exactly one tensor. numpy has no bfloat16 and no float8: those dtypes
// need .safetensors. Throws InvalidArgumentError for a dtype that the format lacks or a name that occurs twice.
void save_tensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);

// Writes any other kind of file, atomic as save(). Throws IoError.
void save_bytes(const std::filesystem::path& path, std::string_view bytes);

}  // namespace qdq
