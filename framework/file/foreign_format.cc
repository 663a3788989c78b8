#include "file/foreign_format.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace octet {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t kHead = 4096;

constexpr const char kPyTorch[] =
    "a PyTorch file (a Python pickle, which only Python reads); write its weights with: "
    "safetensors.torch.save_file(model.state_dict(), \"weights.safetensors\")";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = to_lower(c);
  return result;
}

// A zip archive, by the names of its first members.
std::string describe_zip(std::string_view head) {
  if (contains(head, "data.pkl") || contains(head, ".pkl")) return kPyTorch;
  if (contains(head, ".npy")) {
    return "a NumPy archive (.npz); write its arrays with: safetensors.numpy.save_file(dict(...))";
  }
  if (contains(head, "model.weights.h5")) {
    return "a Keras model; export it as ONNX, or write its weights as safetensors";
  }
  return "a zip archive; unpack it";
}

bool is_text(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
}

std::string describe_text(std::string_view head) {
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  if (head.starts_with("version https://git-lfs.github.com/")) {
    return "a Git LFS pointer, not the file itself; fetch that with: git lfs pull";
  }
  if (head.starts_with("/annex/objects/") || head.starts_with("../.git/annex/")) {
    return "a git-annex pointer, not the file itself; fetch that with: git annex get";
  }
  const std::size_t begin = std::min(head.find_first_not_of(" \t\r\n"), head.size());
  const std::string text = lower(head.substr(begin, 256));
  if (text.starts_with("<!doctype html") || text.starts_with("<html") ||
      text.starts_with("<head")) {
    return "an HTML page, perhaps the error or login page of a server; download the file again";
  }
  if (text.starts_with("<?xml") || text.starts_with("<error")) {
    return "an XML text, perhaps the error message of a server; download the file again";
  }
  if (text.starts_with("{") || text.starts_with("[")) return "a JSON text";
  return head.size() < 8 ? "" : "a text file";  // a few bytes say nothing
}

// A serialized onnx.ModelProto begins with its field 1, a small version, and one of its next
// fields.
bool looks_like_onnx(std::string_view head) {
  if (head.size() < 3 || head[0] != 0x08 || head[1] < 1 || head[1] > 63) return false;
  return "\x12\x1a\x22\x28\x32\x3a\x42"sv.find(head[2]) != std::string_view::npos;
}

// Octet's own, where another file was expected: a length below 100 MB, then the header's brace.
bool looks_like_safetensors(std::string_view head) {
  return head.size() > 9 && head.substr(4, 4) == "\0\0\0\0"sv && head[8] == '{';
}

}  // namespace

std::string foreign_format(std::span<const std::byte> bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min(bytes.size(), kHead));
  const auto begins = [&](std::string_view magic) { return head.starts_with(magic); };
  if (head.empty()) return "an empty file";
  if (begins("PK\3\4") || begins("PK\5\6")) return describe_zip(head);
  // Pickles: torch.save before zip files begins with a magic number of its own.
  if (begins("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv)) return kPyTorch;
  if (head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5) {
    return contains(head, "torch") ? kPyTorch
                                   : "a Python pickle, which only Python reads; write its arrays "
                                     "as safetensors";
  }
  if (begins("\x89HDF\r\n\x1a\n")) {
    return "an HDF5 file (.h5, as Keras writes them); export the model as ONNX, or write its "
           "weights as safetensors";
  }
  if (head.size() > 8 && head.substr(4, 4) == "TFL3") {
    return "a TensorFlow Lite model; export the network as ONNX from where it was trained";
  }
  if (begins("GGUF")) return "a GGUF file, which holds language models";
  if (begins("\x93NUMPY")) return "a NumPy array (.npy)";
  if (begins("\x1f\x8b")) return "a gzip file; unpack it with: gunzip";
  if (begins("\xfd"
             "7zXZ"))
    return "an xz file; unpack it with: unxz";
  if (begins("BZh")) return "a bzip2 file; unpack it with: bunzip2";
  if (begins("\x28\xb5\x2f\xfd")) return "a zstd file; unpack it with: unzstd";
  if (begins("\x89PNG") || begins("\xff\xd8\xff")) return "an image";
  if (begins("%PDF")) return "a PDF document";
  if (begins("\x7f"
             "ELF"))
    return "a program";
  if (looks_like_safetensors(head)) return "a safetensors file";
  if (looks_like_onnx(head)) return "an ONNX model";
  if (head.size() > 262 && head.substr(257, 5) == "ustar") return "a tar archive; unpack it";
  if (is_text(head)) return describe_text(head);
  return "";
}

std::string foreign_hint(std::span<const std::byte> bytes) {
  const std::string format = foreign_format(bytes);
  return format.empty() ? "" : "; it is " + format;
}

}  // namespace octet
