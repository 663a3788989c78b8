#include "file/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "base/classic_locale.h"
#include "base/error.h"
#include "file/atomic_write.h"
#include "file/checked.h"
#include "file/foreign_format.h"
#include "file/printable.h"
#include "file/read_file.h"
#include "file/safetensors_header.h"
#include "file/utf8.h"

namespace octet {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian, as memory is");

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kLengthBytes = 8;
constexpr const char* kMetadataKey = "__metadata__";

void check_name(const std::string& name) {
  OCTET_CHECK(!has_control_characters(name), "the name \"", printable(name),
              "\" has control characters");
}

// Offsets, byte counts and the tiling of the buffer. Sorts `headers` into the order of the file.
void check_layout(std::vector<TensorHeader>& headers, std::uint64_t buffer_bytes) {
  std::sort(headers.begin(), headers.end(), [](const TensorHeader& a, const TensorHeader& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t covered = 0;
  for (const TensorHeader& header : headers) {
    const std::string tensor = "tensor \"" + printable(header.name) + "\"";
    OCTET_CHECK(header.end >= header.begin && header.end <= buffer_bytes, tensor, " lies at [",
                header.begin, ", ", header.end, ") of ", buffer_bytes, " bytes of data");
    OCTET_CHECK(header.begin == covered, tensor, " starts at byte ", header.begin,
                " of the data, expected ", covered,
                header.begin < covered ? ": tensors overlap" : ": there is a hole before it");
    const std::uint64_t expected = checked_size_bytes(header.shape, header.dtype, tensor);
    OCTET_CHECK(header.end - header.begin == expected, tensor, " of ", name_of(header.dtype), " ",
                header.shape, " takes ", expected, " bytes, but its data_offsets span ",
                header.end - header.begin);
    covered = header.end;
  }
  OCTET_CHECK(covered == buffer_bytes, "the tensors end at byte ", covered, " of ", buffer_bytes,
              " bytes of data: the rest belongs to none");
}

std::string quoted(const std::string& text) {
  OCTET_CHECK(is_utf8(text), "\"", printable(text), "\" is not valid UTF-8");
  return nlohmann::json(text).dump();
}

// The JSON of `entries`, whose data follow one another in this order; padded to a multiple of 8.
std::string header_text(const std::map<std::string, std::string>& metadata,
                        const std::vector<TensorEntry>& entries) {
  ClassicStream out;
  const char* comma = "";
  out << '{';
  if (!metadata.empty()) {
    out << quoted(kMetadataKey) << ":{";
    for (const auto& [key, value] : metadata) {
      check_name(key);
      out << std::exchange(comma, ",") << quoted(key) << ':' << quoted(value);
    }
    out << '}';
  }
  std::set<std::string_view> names;
  std::uint64_t end = 0;
  for (const TensorEntry& entry : entries) {
    check_name(entry.name);
    OCTET_CHECK(entry.name != kMetadataKey, "no tensor can be named ", kMetadataKey);
    OCTET_CHECK(names.insert(entry.name).second, "two tensors are named \"", entry.name, "\"");
    const std::uint64_t size = checked_size_bytes(entry.shape, entry.dtype, entry.name);
    OCTET_CHECK(size == entry.bytes.size(), "tensor \"", entry.name, "\" of ", entry.shape,
                " takes ", size, " bytes, got ", entry.bytes.size());
    const std::uint64_t begin = std::exchange(end, checked_add(end, size, "file size"));
    const nlohmann::json shape = entry.shape.dims();
    out << std::exchange(comma, ",") << quoted(entry.name) << ":{\"dtype\":\""
        << name_of(entry.dtype) << "\",\"shape\":" << shape.dump() << ",\"data_offsets\":[" << begin
        << ',' << end << "]}";
  }
  out << '}';
  std::string text = out.str();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

// not fuzzed: the file system; parse is the reader
SafetensorsFile SafetensorsFile::read(const std::string& path) {
  return parse(read_file(path), path);
}

SafetensorsFile SafetensorsFile::parse(std::vector<std::byte> bytes, std::string source_name) {
  SafetensorsFile file;
  file.source_name_ = std::move(source_name);
  file.bytes_ = std::move(bytes);
  try {
    const std::uint64_t size = file.bytes_.size();
    OCTET_CHECK(size >= kLengthBytes, "not a safetensors file: it has ", size, " bytes");
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, file.bytes_.data(), sizeof(header_bytes));
    OCTET_CHECK(header_bytes <= kMaxHeaderBytes, "not a safetensors file: its header would have ",
                header_bytes, " bytes (at most ", kMaxHeaderBytes, ")");
    OCTET_CHECK(header_bytes <= size - kLengthBytes, "truncated: the header has ", header_bytes,
                " bytes, but the file ends after ", size - kLengthBytes, " of them");
    file.data_begin_ = kLengthBytes + static_cast<std::size_t>(header_bytes);

    const std::string_view json(reinterpret_cast<const char*>(file.bytes_.data()) + kLengthBytes,
                                static_cast<std::size_t>(header_bytes));
    Header header = parse_header(json);
    check_layout(header.tensors, size - file.data_begin_);
    file.metadata_ = std::move(header.metadata);
    for (TensorHeader& tensor : header.tensors) {
      file.index_.emplace(tensor.name, file.tensors_.size());
      file.tensors_.push_back({std::move(tensor.name), tensor.dtype, std::move(tensor.shape),
                               file.data().subspan(tensor.begin, tensor.end - tensor.begin)});
    }
  } catch (const Error& error) {
    const std::string format = foreign_format(file.bytes_);
    if (format.empty() || format == "a safetensors file") {
      throw Error(message("\"", printable(file.source_name_), "\": ", error.what()));
    }
    throw Error(
        message("\"", printable(file.source_name_), "\": not a safetensors file but ", format));
  }
  return file;
}

const TensorEntry* SafetensorsFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

// not fuzzed: a name that the caller gives, not the file
const TensorEntry& SafetensorsFile::at(const std::string& name) const {
  const TensorEntry* entry = find(name);
  OCTET_CHECK(entry != nullptr, "\"", printable(source_name_), "\" has no tensor \"",
              printable(name), "\"");
  return *entry;
}

const std::string& SafetensorsFile::metadata_at(const std::string& key) const {
  const auto found = metadata_.find(key);
  OCTET_CHECK(found != metadata_.end(), "\"", printable(source_name_), "\" has no metadata \"",
              printable(key), "\"");
  return found->second;
}

std::vector<std::byte> serialize_safetensors(const std::map<std::string, std::string>& metadata,
                                             std::vector<TensorEntry> entries) {
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    const std::size_t size_a = size_of(a.dtype), size_b = size_of(b.dtype);
    return size_a != size_b ? size_a > size_b : a.name < b.name;
  });
  const std::string header = header_text(metadata, entries);
  OCTET_CHECK(header.size() <= kMaxHeaderBytes, "a header of ", header.size(), " bytes (at most ",
              kMaxHeaderBytes, ")");

  std::uint64_t size = kLengthBytes + header.size();
  for (const TensorEntry& entry : entries)
    size = checked_add(size, entry.bytes.size(), "file size");
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  std::byte* position = bytes.data();
  const auto append = [&](std::span<const std::byte> part) {
    position = std::copy(part.begin(), part.end(), position);
  };
  const std::uint64_t length = header.size();
  append(std::as_bytes(std::span(&length, 1)));
  append(std::as_bytes(std::span(header.data(), header.size())));
  for (const TensorEntry& entry : entries) append(entry.bytes);
  return bytes;
}

// not fuzzed: it writes
void write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                       std::vector<TensorEntry> entries) {
  atomic_write(path, serialize_safetensors(metadata, std::move(entries)));
}

}  // namespace octet
