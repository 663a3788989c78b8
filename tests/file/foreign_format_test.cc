#include "file/foreign_format.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "file/read_file.h"
#include "file/safetensors.h"

namespace octet {
namespace {

using std::string_literals::operator""s;

std::vector<std::byte> content_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

std::string format_of(const std::string& text) { return foreign_format(content_of(text)); }

// A zip archive of one stored member, as far as its first header.
std::string zip(const std::string& name) {
  return "PK\3\4\x14\0\0\0\0\0\x13\x87~]\xf2\x91\2\xc5\6\0\0\0\6\0\0\0"s +
         static_cast<char>(name.size()) + "\0\0\0"s + name + "\x80\x02}q\0."s;
}

struct Row {
  std::string content, named;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {zip("archive/data.pkl"), "PyTorch"},
      {zip("weights/data.pkl"), "state_dict"},
      {zip("fc.weight.npy"), "NumPy"},
      {zip("notes.txt"), "zip archive"},
      {"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."s, "PyTorch"},
      {"\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94."s, "Python pickle"},
      {"\x80\x02}q\0ctorch._utils\n_rebuild_tensor_v2\n"s, "PyTorch"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n",
       "git lfs pull"},
      {"/annex/objects/SHA256E-s1--00.safetensors\n", "git annex get"},
      {"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0"s, "HDF5"},
      {"\x1c\0\0\0TFL3\0\0\0\0"s, "TensorFlow Lite"},
      {"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n", "HTML page"},
      {"\n  <html>\n<head><title>Sign in</title></head>", "HTML page"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML"},
      {"{\"message\": \"Not Found\"}", "JSON"},
      {"weights: none\n", "text file"},
      {"\x08\x08\x12\x07pytorch\x1a\x05"
       "2.1.0:\x10\x0a\x04node"s,
       "ONNX"},
      {"\x1f\x8b\x08\0\0\0\0\0\0\x03"s, "gunzip"},
      {"\x93NUMPY\x01\0v\0{'descr': '<f4'"s, "NumPy"},
      {"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"s, "image"},
      {"GGUF\x03\0\0\0"s, "GGUF"},
      {"", "empty"},
  };
  return all;
}

}  // namespace

TEST_SUITE_BEGIN("file");

TEST_CASE("foreign formats are told by their first bytes") {
  for (const Row& row : rows()) {
    CAPTURE(row.content);
    CHECK(format_of(row.content).find(row.named) != std::string::npos);
    CHECK(foreign_hint(content_of(row.content)).starts_with("; it is "));
  }
}

TEST_CASE("foreign formats: what is unknown is not named") {
  for (const std::string& unknown :
       {"x"s, "\x01"s, "\0\0\0\0"s, "\xff\xfe\0\x01\x02"s, "\x08\xff\x12"s, "\x80\x63"s}) {
    CAPTURE(unknown);
    CHECK(format_of(unknown).empty());
    CHECK(foreign_hint(content_of(unknown)).empty());
  }
}

TEST_CASE("foreign formats: a cut file of every kind is read without its end") {
  for (const Row& row : rows()) {
    for (std::size_t size = 0; size < row.content.size(); ++size) {
      const std::vector<std::byte> cut = content_of(row.content.substr(0, size));
      CHECK((size > 0 || foreign_format(cut) == "an empty file"));
    }
  }
}

TEST_CASE("a safetensors reader says what it got instead") {
  for (const Row& row : rows()) {
    CAPTURE(row.content);
    std::string error;
    try {
      SafetensorsFile::parse(content_of(row.content), "w.pt");
    } catch (const Error& thrown) {
      error = thrown.what();
    }
    CHECK(error.find("\"w.pt\"") != std::string::npos);
    CHECK(error.find(row.named) != std::string::npos);
  }
}

TEST_SUITE_END();

}  // namespace octet
