#include "tests/fuzz/signed_file.h"

#include <map>
#include <span>
#include <string>

#include "base/error.h"
#include "file/safetensors.h"
#include "file/sha256.h"

namespace octet::fuzz {

std::vector<std::byte> with_right_digest(std::vector<std::byte> bytes) {
  try {
    const SafetensorsFile file = SafetensorsFile::parse(bytes, "fuzz");
    std::map<std::string, std::string> metadata = file.metadata();
    if (metadata.erase("octet.sha256") == 0) return bytes;
    std::string text;
    for (const auto& [key, value] : metadata) {
      text += message(key, "\n", value.size(), "\n", value, "\n");
    }
    std::map<std::string, TensorEntry> tensors;
    for (const TensorEntry& tensor : file.tensors()) tensors.emplace(tensor.name, tensor);
    for (const auto& [name, tensor] : tensors) {
      std::string dims;
      for (const std::int64_t dim : tensor.shape.dims()) {
        dims += (dims.empty() ? "" : ",") + std::to_string(dim);
      }
      text += message(name, "\n", name_of(tensor.dtype), "\n", dims, "\n");
      text.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    }
    metadata["octet.sha256"] = sha256_hex(std::as_bytes(std::span(text)));
    return serialize_safetensors(metadata, file.tensors());
  } catch (const Error&) {
    return bytes;
  }
}

}  // namespace octet::fuzz
