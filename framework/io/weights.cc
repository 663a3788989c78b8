#include "io/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "base/error.h"
#include "base/float_environment.h"
#include "base/half.h"
#include "file/atomic_write.h"
#include "file/printable.h"
#include "file/read_file.h"
#include "file/sha256.h"
#include "io/weights_hash.h"

namespace octet {
namespace {

constexpr const char* kFormatKey = "octet.format";

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Rows of [channels, pixels] to rows of [pixels, channels], as a tensor of this shape.
Tensor to_channels_last(const Tensor& source, std::int64_t channels, std::int64_t pixels,
                        const Shape& shape) {
  Tensor result = Tensor::empty(shape, source.dtype());
  const std::size_t size = size_of(source.dtype());
  const std::byte* from = source.bytes().data();
  std::byte* to = result.mutable_bytes().data();
  for (std::int64_t row = 0; row < source.dim(0); ++row) {
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t index = (row * channels + c) * pixels + pixel;
        std::memcpy(to, from + static_cast<std::size_t>(index) * size, size);
        to += size;
      }
    }
  }
  return result;
}

// [O, I, KH, KW] to [O, KH, KW, I].
Tensor turn_kernel(const Tensor& w) {
  return to_channels_last(w, w.dim(1), w.dim(2) * w.dim(3),
                          {w.dim(0), w.dim(2), w.dim(3), w.dim(1)});
}

// not fuzzed: for what is written
Tensor to_f16(const Tensor& x) {
  Tensor halves = Tensor::empty(x.shape(), DType::kF16);
  std::byte* to = halves.mutable_bytes().data();
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const std::uint16_t half = half_from_float(x.data()[i]);
    std::memcpy(to + 2 * i, &half, 2);
  }
  return halves;
}

Tensor to_f32(const Tensor& halves) {
  Tensor x = Tensor::empty(halves.shape());
  const std::byte* from = halves.bytes().data();
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    std::uint16_t half;
    std::memcpy(&half, from + 2 * i, 2);
    x.mutable_data()[i] = float_from_half(half);
  }
  return x;
}

// "a, b, c and 7 more"
std::string list_names(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    text += (i > 0 ? ", " : "") + printable(names[i]);
  }
  return names.size() > kShown ? message(text, " and ", names.size() - kShown, " more") : text;
}

}  // namespace

void hash_tensor(Sha256& hash, const TensorEntry& entry) {
  std::string dims;
  for (const std::int64_t dim : entry.shape.dims()) {
    dims += (dims.empty() ? "" : ",") + std::to_string(dim);
  }
  const std::string head = message(entry.name, '\n', name_of(entry.dtype), '\n', dims, '\n');
  hash.update(std::as_bytes(std::span(head.data(), head.size()))).update(entry.bytes);
}

TensorEntry to_entry(const NamedTensor& tensor) {
  return {tensor.name, tensor.tensor.dtype(), tensor.tensor.shape(), tensor.tensor.bytes()};
}

NamedTensor to_tensor(const TensorEntry& entry) {
  Tensor tensor = Tensor::empty(entry.shape, entry.dtype);
  std::copy(entry.bytes.begin(), entry.bytes.end(), tensor.mutable_bytes().begin());
  return {entry.name, tensor};
}

std::string weights_sha256(std::vector<NamedTensor> tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
  Sha256 hash;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    OCTET_CHECK(i == 0 || tensors[i].name != tensors[i - 1].name, "two tensors are named \"",
                printable(tensors[i].name), "\"");
    hash_tensor(hash, to_entry(tensors[i]));
  }
  return hash.hex();
}

// not fuzzed: no reader
void round_to_fp16(const std::vector<NamedTensor>& tensors) {
  const FloatEnvironment environment;
  std::vector<NamedTensor> rounded;
  for (const NamedTensor& tensor : tensors) {
    if (tensor.tensor.dtype() != DType::kF32) continue;
    rounded.push_back({tensor.name, to_f32(to_f16(tensor.tensor))});
    const float *before = tensor.tensor.data(), *after = rounded.back().tensor.data();
    for (std::int64_t i = 0; i < tensor.tensor.numel(); ++i) {
      OCTET_CHECK(!std::isfinite(before[i]) || std::isfinite(after[i]), "tensor \"",
                  printable(tensor.name), "\" has ", before[i],
                  ", more than half precision can hold (65504)");
    }
  }
  auto from = rounded.begin();
  for (const NamedTensor& tensor : tensors) {
    if (tensor.tensor.dtype() != DType::kF32) continue;
    Tensor to = tensor.tensor;
    std::copy_n(from->tensor.data(), to.numel(), to.mutable_data());
    ++from;
  }
}

// not fuzzed: it writes
std::vector<std::byte> serialize_weights(const std::vector<NamedTensor>& tensors,
                                         std::map<std::string, std::string> metadata, DType as) {
  const FloatEnvironment environment;
  metadata["format"] = "pt";
  metadata[kFormatKey] = "weights";
  std::vector<NamedTensor> written = tensors;
  for (NamedTensor& tensor : written) {
    if (as == DType::kF16 && tensor.tensor.dtype() == DType::kF32) {
      tensor.tensor = to_f16(tensor.tensor);
    }
  }
  std::vector<TensorEntry> entries;
  for (const NamedTensor& tensor : written) entries.push_back(to_entry(tensor));
  return serialize_safetensors(metadata, std::move(entries));
}

// not fuzzed: it writes
void save_weights(const std::string& path, const std::vector<NamedTensor>& tensors,
                  std::map<std::string, std::string> metadata, DType as) {
  atomic_write(path, serialize_weights(tensors, std::move(metadata), as));
}

Tensor turn_flattened_columns(const NamedTensor& weight, std::int64_t channels) {
  const Tensor& w = weight.tensor;
  OCTET_CHECK(w.rank() == 2 && w.numel() > 0 && w.dim(1) % channels == 0, "tensor \"",
              printable(weight.name), "\" is ", name_of(w.dtype()), " ", w.shape(),
              ", the model expects the weight of a ", "linear layer that reads a flattened map of ",
              channels, " channels");
  return to_channels_last(w, channels, w.dim(1) / channels, w.shape());
}

// not fuzzed: the file system; parse_weights is the reader
std::vector<NamedTensor> load_weights(const std::string& path) {
  return read_weights(path).tensors;
}

// not fuzzed: the file system; parse_weights is the reader
WeightsFile read_weights(const std::string& path) { return parse_weights(read_file(path), path); }

WeightsFile parse_weights(std::vector<std::byte> bytes, const std::string& source_name) {
  const FloatEnvironment environment;
  const SafetensorsFile file = SafetensorsFile::parse(std::move(bytes), source_name);
  const auto format = file.metadata().find(kFormatKey);
  const bool foreign = format == file.metadata().end();
  OCTET_CHECK(foreign || format->second == "weights" || format->second == "checkpoint", "\"",
              printable(source_name), "\" holds no weights but \"", printable(format->second),
              "\"");
  WeightsFile weights{.tensors = {}, .is_torch = foreign};
  for (const TensorEntry& entry : file.tensors()) {
    if (foreign && ends_with(entry.name, "num_batches_tracked")) continue;
    if (!foreign && entry.name.find('/') != std::string::npos) continue;  // another group
    NamedTensor tensor = to_tensor(entry);
    // One extent of 0 lets the others be of any size.
    OCTET_CHECK(!foreign || tensor.tensor.numel() > 0, "\"", printable(source_name),
                "\": tensor \"", printable(entry.name), "\" of shape ", entry.shape,
                " has no elements");
    if (tensor.tensor.dtype() == DType::kF16) tensor.tensor = to_f32(tensor.tensor);
    if (foreign && tensor.tensor.rank() == 4) tensor.tensor = turn_kernel(tensor.tensor);
    weights.tensors.push_back(std::move(tensor));
  }
  return weights;
}

void copy_weights(const std::vector<NamedTensor>& from, const std::vector<NamedTensor>& to,
                  const std::string& source) {
  std::map<std::string, Tensor> given;
  for (const NamedTensor& tensor : from) given.emplace(tensor.name, tensor.tensor);
  std::vector<std::string> missing, unexpected;
  for (const NamedTensor& tensor : to) {
    if (given.count(tensor.name) == 0) missing.push_back(tensor.name);
  }
  std::map<std::string, Tensor> wanted;
  for (const NamedTensor& tensor : to) wanted.emplace(tensor.name, tensor.tensor);
  for (const auto& [name, tensor] : given) {
    if (wanted.count(name) == 0) unexpected.push_back(name);
  }
  OCTET_CHECK(missing.empty() && unexpected.empty(), "\"", printable(source),
              "\" does not fit the model:", missing.empty() ? "" : " missing ", list_names(missing),
              missing.empty() || unexpected.empty() ? "" : ";",
              unexpected.empty() ? "" : " unexpected ", list_names(unexpected));
  for (const auto& [name, tensor] : wanted) {
    const Tensor& other = given.at(name);
    OCTET_CHECK(other.shape() == tensor.shape() && other.dtype() == tensor.dtype(), "\"",
                printable(source), "\": tensor \"", printable(name), "\" is ",
                name_of(other.dtype()), " ", other.shape(), ", the model expects ",
                name_of(tensor.dtype()), " ", tensor.shape());
  }
  for (auto& [name, tensor] : wanted) tensor.copy_from(given.at(name));
}

}  // namespace octet
