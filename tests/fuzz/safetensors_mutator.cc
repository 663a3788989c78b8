// For libFuzzer: changes a safetensors file and keeps it one: its tensors still tile the data, and
// JSON within its metadata (a graph, the state of a run) stays JSON. Blind changes of a few bytes
// would rarely leave a header that can be read at all; some are made so, for the reader of headers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLength = 8;
constexpr const char* kMetadata = "__metadata__";
constexpr const char* kTypes[] = {"F32", "F16", "BF16", "I32", "I8", "U8", "F64", "I64"};
const Json kOddValues[] = {
    0,       1,         2,         3,    127,   255,           256,
    -1,      -128,      32,        1e-3, 1e30,  INT32_MAX,     INT32_MIN,
    1 << 20, INT64_MAX, INT64_MIN, 0.5,  1.0,   UINT64_MAX,    Json(),
    true,    "",        "x",       "U8", 1e300, Json::array(), Json::object()};

class Mutator {
 public:
  Mutator(unsigned seed, std::size_t max_size) : random_(seed), max_size_(max_size) {}

  // Reads the file; false if it is none.
  bool read(const std::uint8_t* data, std::size_t size) {
    std::uint64_t length = 0;
    if (size < kLength) return false;
    std::memcpy(&length, data, kLength);
    if (length > size - kLength) return false;
    const std::uint8_t* const rest = data + kLength + length;
    const std::size_t rest_size = size - kLength - length;
    header_ = parse(std::string(data + kLength, rest));
    if (!header_.is_object()) return false;
    for (const auto& [name, tensor] : header_.items()) {
      if (name == kMetadata) continue;
      if (!tensor.is_object() || !tensor.contains("data_offsets")) return false;
      const Json& offsets = tensor["data_offsets"];
      if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
          !offsets[1].is_number_unsigned() || !tensor.contains("shape") ||
          !tensor["shape"].is_array() || !tensor.contains("dtype")) {
        return false;
      }
      const auto begin = offsets[0].get<std::size_t>(), end = offsets[1].get<std::size_t>();
      if (begin > end || end > rest_size) return false;
      tensors_.push_back({name, tensor, {rest + begin, rest + end}});
    }
    return true;
  }

  void mutate() {
    for (int i = 0; i <= below(3); ++i) {
      const bool has_metadata = header_.contains(kMetadata) && header_[kMetadata].is_object();
      if (has_metadata && (tensors_.empty() || below(2) == 0)) {
        mutate_metadata(header_[kMetadata]);
      } else if (!tensors_.empty()) {
        mutate_tensor();
      } else {
        header_[kMetadata] = {{"format", "pt"}};
      }
    }
  }

  // The file; empty if it is too large.
  std::vector<std::uint8_t> written() const {
    Json header = Json::object();
    if (header_.contains(kMetadata)) header[kMetadata] = header_[kMetadata];
    std::vector<std::uint8_t> data;
    for (const Tensor& tensor : tensors_) {
      Json entry = tensor.entry;
      entry["data_offsets"] = {data.size(), data.size() + tensor.data.size()};
      data.insert(data.end(), tensor.data.begin(), tensor.data.end());
      header[tensor.name] = std::move(entry);
    }
    const std::string text = dump(header);
    std::vector<std::uint8_t> file(kLength);
    const std::uint64_t length = text.size();
    std::memcpy(file.data(), &length, kLength);
    file.insert(file.end(), text.begin(), text.end());
    file.insert(file.end(), data.begin(), data.end());
    if (file.size() > max_size_) file.clear();
    return file;
  }

 private:
  struct Tensor {
    std::string name;
    Json entry;
    std::vector<std::uint8_t> data;
  };

  // What is nested deeper than any reader of ours allows is left out: writing recurses.
  static Json parse(const std::string& text) {
    return Json::parse(
        text, [](int depth, Json::parse_event_t, Json&) { return depth < 32; }, false);
  }

  static std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  int below(std::size_t n) { return n == 0 ? 0 : static_cast<int>(random_() / 8 % n); }

  std::string changed(std::string text) {
    const std::size_t size = text.size();
    text.resize(size + 16);
    text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, text.size()));
    return text;
  }

  static void collect(Json& json, std::vector<Json*>& all) {
    all.push_back(&json);
    if (json.is_structured()) {
      for (Json& element : json) collect(element, all);
    }
  }

  std::int64_t near(std::uint64_t value) {  // modulo 2^64
    return static_cast<std::int64_t>(value + static_cast<std::uint64_t>(below(5)) - 2);
  }

  // Changes one value of a document.
  void mutate_json(Json& json) {
    std::vector<Json*> all;
    collect(json, all);
    Json& value = *all[static_cast<std::size_t>(below(all.size()))];
    const Json other = *all[static_cast<std::size_t>(below(all.size()))];
    const auto element = std::next(value.begin(), below(value.size()));
    switch (below(6)) {
      case 0:
        value = kOddValues[below(std::size(kOddValues))];
        break;
      case 1:
        value = other;
        break;
      case 2:
        if (value.is_structured() && !value.empty()) value.erase(element);
        break;
      case 3:
        if (value.is_array()) value.push_back(value.empty() ? other : Json(*element));
        if (value.is_object()) value["x"] = other;
        break;
      case 4:
        if (value.is_array() && value.size() > 1) std::swap(value[0], *element);
        if (value.is_number_integer()) value = value.get<std::int64_t>() / 2;
        break;
      default:
        if (value.is_string()) value = changed(value.get<std::string>());
        if (value.is_number_integer()) value = near(value.get<std::uint64_t>());
        if (value.is_number_float()) value = value.get<double>() * (below(5) - 2);
    }
  }

  void mutate_metadata(Json& metadata) {
    const int what = below(16);
    if (metadata.empty() || what == 0) {
      metadata[changed("k")] = changed("v");
      return;
    }
    const auto at = std::next(metadata.begin(), below(metadata.size()));
    if (what == 1) {
      metadata.erase(at);
      return;
    }
    if (!at->is_string()) {
      *at = "x";
      return;
    }
    const std::string text = at->get<std::string>();
    Json inner = parse(text);
    if (what < 12 && inner.is_structured()) {
      for (int i = 0; i <= below(3); ++i) mutate_json(inner);
      *at = dump(inner);
    } else {
      *at = changed(text);
    }
  }

  // Gives the data the size that shape and type ask for, where that is small.
  void fit(Tensor& tensor) const {
    const Json& type = tensor.entry["dtype"];
    const std::string name = type.is_string() ? type.get<std::string>() : "";
    double bytes = name == "U8" || name == "I8" ? 1 : (name.ends_with("16") ? 2 : 4);
    if (name.ends_with("64")) bytes = 8;
    for (const Json& dim : tensor.entry["shape"]) {
      bytes *= dim.is_number() ? dim.get<double>() : 0.0;
    }
    if (bytes >= 0 && bytes < static_cast<double>(max_size_)) {
      tensor.data.resize(static_cast<std::size_t>(bytes), 1);
    }
  }

  void mutate_tensor() {
    const auto at = static_cast<std::size_t>(below(tensors_.size()));
    Tensor& tensor = tensors_[at];
    const Tensor other = tensors_[static_cast<std::size_t>(below(tensors_.size()))];
    Json& shape = tensor.entry["shape"];
    const auto dim = static_cast<std::size_t>(below(shape.size()));
    switch (below(10)) {
      case 0:
        tensor.entry["dtype"] = kTypes[below(std::size(kTypes))];
        fit(tensor);
        break;
      case 1:
        if (!shape.empty()) shape[dim] = below(8);
        fit(tensor);
        break;
      case 2:
        if (!shape.empty()) shape[dim] = kOddValues[below(std::size(kOddValues))];
        fit(tensor);
        break;
      case 3:
        if (below(2) == 0 && !shape.empty()) {
          shape.erase(dim);
        } else {
          shape.push_back(1 + below(2));
        }
        fit(tensor);
        break;
      case 4:
        tensors_.erase(tensors_.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      case 5:
        tensors_.push_back({other.name + (below(2) == 0 ? ".x" : "/x"), tensor.entry, tensor.data});
        break;
      case 6:
        tensor.name = below(2) == 0 ? changed(tensor.name) : changed(other.name);
        break;
      case 7:
        tensor.entry = other.entry;
        tensor.data = other.data;
        break;
      default:
        if (!tensor.data.empty()) {
          LLVMFuzzerMutate(tensor.data.data(), tensor.data.size(), tensor.data.size());
        }
    }
  }

  std::minstd_rand random_;
  std::size_t max_size_;
  Json header_;
  std::vector<Tensor> tensors_;
};

// Changes the bytes of the header, or those behind it, and keeps the length field right.
std::size_t mutate_bytes(std::uint8_t* data, std::size_t size, std::size_t max_size,
                         unsigned seed) {
  std::uint64_t header = 0;
  if (size >= kLength) std::memcpy(&header, data, kLength);
  if (seed % 8 == 0 || size < kLength || header > size - kLength || max_size <= size) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  std::uint8_t* const middle = data + kLength + header;
  if (seed % 8 == 1) {
    const std::size_t begin = kLength + header;
    return begin + LLVMFuzzerMutate(middle, size - begin, max_size - begin);
  }
  const std::vector<std::uint8_t> rest(middle, data + size);
  const std::size_t room = max_size - kLength - rest.size();
  header = LLVMFuzzerMutate(data + kLength, header, room);
  std::memcpy(data, &header, kLength);
  std::copy(rest.begin(), rest.end(), data + kLength + header);
  return kLength + header + rest.size();
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  Mutator mutator(seed, max_size);
  if (seed % 4 == 0 || !mutator.read(data, size)) {
    return mutate_bytes(data, size, max_size, seed / 4);
  }
  mutator.mutate();
  const std::vector<std::uint8_t> file = mutator.written();
  if (file.empty()) return mutate_bytes(data, size, max_size, seed / 4);
  std::copy(file.begin(), file.end(), data);
  return file.size();
}
