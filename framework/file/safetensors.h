#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/shape.h"

namespace octet {

// One tensor of a safetensors file: row-major, little-endian. In a file that is read, `bytes`
// points into the file's memory and need not be aligned for the dtype (copy with memcpy).
struct TensorEntry {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::span<const std::byte> bytes;
};

// A safetensors file in memory, completely verified before anything of it can be used:
// u64 length N <= 100,000,000, N bytes of JSON that start with '{', no duplicate names, no control
// characters in names, byte counts that agree with dtype and shape, and tensors which tile the rest
// of the file exactly (no overlap, no hole, nothing after them). Move-only: entries point into it.
class SafetensorsFile {
 public:
  // Throw Error that starts with the file's name.
  static SafetensorsFile read(const std::string& path);
  static SafetensorsFile parse(std::vector<std::byte> bytes, std::string source_name);

  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& source_name() const { return source_name_; }
  std::size_t size_bytes() const { return bytes_.size(); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::vector<TensorEntry>& tensors() const { return tensors_; }  // in the order of the file

  const TensorEntry* find(const std::string& name) const;        // null if there is none
  const TensorEntry& at(const std::string& name) const;          // throws Error that names the file
  const std::string& metadata_at(const std::string& key) const;  // throws Error

  // The data behind the header: all tensors' bytes in order.
  std::span<const std::byte> data() const { return std::span(bytes_).subspan(data_begin_); }

 private:
  SafetensorsFile() = default;

  std::string source_name_;
  std::vector<std::byte> bytes_;
  std::size_t data_begin_ = 0;
  std::map<std::string, std::string> metadata_;
  std::vector<TensorEntry> tensors_;
  std::map<std::string, std::size_t> index_;
};

// The bytes of a file with these tensors. The same content gives the same bytes, whatever the order
// of `entries`: tensors are ordered by element size, largest first, then by name, and the header is
// padded with spaces so that the data starts at a multiple of 8. Throws Error on a name used twice,
// reserved or with control characters, and on bytes that do not agree with dtype and shape.
std::vector<std::byte> serialize_safetensors(const std::map<std::string, std::string>& metadata,
                                             std::vector<TensorEntry> entries);

// serialize_safetensors, then atomic_write.
void write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                       std::vector<TensorEntry> entries);

}  // namespace octet
