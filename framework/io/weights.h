#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "file/safetensors.h"
#include "nn/module.h"

// Named tensors of a model in files.
namespace octet {

// A handle for the file's writer; points into the tensor's memory.
TensorEntry to_entry(const NamedTensor& tensor);
// A tensor of its own, copied out of the file.
NamedTensor to_tensor(const TensorEntry& entry);

// SHA-256 over all parameters and buffers: for each tensor, in the order of the names' bytes,
//   name '\n' dtype '\n' dimensions joined by ',' '\n' elements (row-major, little-endian)
// with dtypes as in safetensors ("F32"). Throws Error if a name occurs twice.
std::string weights_sha256(std::vector<NamedTensor> tensors);

// Rounds the elements of F32 tensors to half precision (base/half.h), in place: what a file of F16
// can hold. Nothing is changed if a finite element would become infinite: throws Error that names
// its tensor.
void round_to_fp16(const std::vector<NamedTensor>& tensors);

// The bytes of a .safetensors file of weights alone. `metadata` is added to our own
// ("octet.format": "weights"). With `as` F16, F32 tensors are written rounded to half precision.
std::vector<std::byte> serialize_weights(const std::vector<NamedTensor>& tensors,
                                         std::map<std::string, std::string> metadata = {},
                                         DType as = DType::kF32);
// serialize_weights, written atomically.
void save_weights(const std::string& path, const std::vector<NamedTensor>& tensors,
                  std::map<std::string, std::string> metadata = {}, DType as = DType::kF32);

// The weights and buffers of a file.
struct WeightsFile {
  std::vector<NamedTensor> tensors;
  bool is_torch = false;  // names are PyTorch's, and so are the columns of linear layers
};

// For model.init_from: a checkpoint (its "model" group), a file of save_weights, or a safetensors
// file of another program, which is taken for PyTorch's: tensors of rank 4 are turned from
// [O, I, KH, KW] into our [O, KH, KW, I], and "*.num_batches_tracked" are left out. F16 becomes
// F32. Throws Error that names the file.
WeightsFile read_weights(const std::string& path);
WeightsFile parse_weights(std::vector<std::byte> bytes, const std::string& source_name);
std::vector<NamedTensor> load_weights(const std::string& path);  // its tensors alone

// A linear layer's weight [O, C H W], its columns turned from PyTorch's order C, H, W to ours, H,
// W, C. Throws Error that starts with the tensor's name if it is no such weight.
Tensor turn_flattened_columns(const NamedTensor& weight, std::int64_t channels);

// Copies the elements of `from` into the tensors of `to` by name. Nothing is copied unless all
// fits: throws Error that starts with `source` and lists the names that are missing or unexpected,
// or names the first tensor with another shape or dtype, and both shapes.
void copy_weights(const std::vector<NamedTensor>& from, const std::vector<NamedTensor>& to,
                  const std::string& source);

}  // namespace octet
