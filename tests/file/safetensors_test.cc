#include "file/safetensors.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "base/rng.h"
#include "file/atomic_write.h"
#include "tests/file/temp_folder.h"

namespace octet {
namespace {

using Bytes = std::vector<std::byte>;

// A file of this header, with `data_bytes` bytes 0, 1, 2, ... behind it.
Bytes file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  Bytes bytes(8 + header.size() + data_bytes);
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  for (std::size_t i = 0; i < data_bytes; ++i) bytes[8 + header.size() + i] = std::byte(i);
  return bytes;
}

std::string error_of(Bytes bytes) {
  try {
    SafetensorsFile::parse(std::move(bytes), "m.safetensors");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Bytes sample() {
  static const std::array<float, 6> weight = {1, 2, 3, 4, 5, 6};
  static const std::array<std::int8_t, 3> codes = {-127, 0, 127};
  return serialize_safetensors(
      {{"b", "line\nbreak \"quoted\""}, {"a", ""}},
      {{"codes", DType::kI8, {3}, std::as_bytes(std::span(codes))},
       {"none", DType::kI64, {0, 5}, {}},
       {"conv.weight", DType::kF32, {2, 3}, std::as_bytes(std::span(weight))},
       {"scalar", DType::kF32, {}, std::as_bytes(std::span(weight).first(1))}});
}

}  // namespace

TEST_CASE("safetensors: a file written by hand after the format's description") {
  const auto file = SafetensorsFile::parse(
      file_of(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[2,1],)"
              R"("data_offsets":[8,10]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   )",
              10),
      "m");
  CHECK(file.metadata_at("format") == "pt");
  REQUIRE(file.tensors().size() == 2);
  CHECK(file.tensors()[0].name == "a");
  CHECK(file.at("b").dtype == DType::kU8);
  CHECK(file.at("b").shape == Shape{2, 1});
  CHECK(file.at("b").bytes[1] == std::byte{9});
  CHECK(file.find("c") == nullptr);
  CHECK_THROWS_WITH_AS(file.at("c"), "\"m\" has no tensor \"c\"", Error);
  CHECK_THROWS_WITH_AS(file.metadata_at("x"), "\"m\" has no metadata \"x\"", Error);
}

TEST_CASE("safetensors: the writer's bytes are exactly these") {
  const std::array<std::uint8_t, 2> u8 = {7, 8};
  const std::array<std::int32_t, 1> i32 = {-2};
  const Bytes bytes =
      serialize_safetensors({{"k", "v"}}, {{"a", DType::kU8, {2}, std::as_bytes(std::span(u8))},
                                           {"z", DType::kI32, {}, std::as_bytes(std::span(i32))}});
  const std::string header =
      R"({"__metadata__":{"k":"v"},"z":{"dtype":"I32","shape":[],"data_offsets":[0,4]},)"
      R"("a":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}})";
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  REQUIRE(bytes.size() == 8 + padded + 6);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  CHECK(static_cast<std::size_t>(bytes[0]) == padded);
  CHECK(std::string(text + 8, padded) == header + std::string(padded - header.size(), ' '));
  CHECK(std::string(text + 8 + padded, 6) == std::string("\xfe\xff\xff\xff\x07\x08", 6));
}

TEST_CASE("safetensors: round trip, the order of entries does not matter, empty files") {
  const TempFolder folder;
  const Bytes bytes = sample();
  atomic_write(folder / "f", bytes);
  const SafetensorsFile file = SafetensorsFile::read(folder / "f");
  CHECK(file.metadata_at("b") == "line\nbreak \"quoted\"");
  CHECK(file.at("none").shape == Shape{0, 5});
  CHECK(file.at("scalar").shape == Shape{});
  float third = 0;
  std::memcpy(&third, file.at("conv.weight").bytes.data() + 8, 4);
  CHECK(third == 3.0f);
  CHECK(file.data().size() == 6 * 4 + 4 + 3);

  auto entries = file.tensors();
  CHECK(serialize_safetensors(file.metadata(), entries) == bytes);
  std::reverse(entries.begin(), entries.end());
  CHECK(serialize_safetensors(file.metadata(), entries) == bytes);
  write_safetensors(folder / "g", file.metadata(), entries);
  CHECK(SafetensorsFile::read(folder / "g").size_bytes() == bytes.size());

  CHECK(SafetensorsFile::parse(serialize_safetensors({}, {}), "m").tensors().empty());
  CHECK_THROWS_WITH_AS(
      SafetensorsFile::read(folder / "none"),
      ("cannot open \"" + (folder / "none") + "\": No such file or directory").c_str(), Error);
}

TEST_CASE("safetensors: the writer refuses what could not be read") {
  const std::array<float, 2> data{};
  const auto bytes = std::as_bytes(std::span(data));
  const auto write = [](const std::map<std::string, std::string>& metadata,
                        const std::vector<TensorEntry>& entries) {
    serialize_safetensors(metadata, entries);
  };
  const TensorEntry good = {"a", DType::kF32, {2}, bytes};
  CHECK_NOTHROW(write({}, {good}));
  CHECK_THROWS_WITH_AS(write({}, {good, good}), "two tensors are named \"a\"", Error);
  CHECK_THROWS_WITH_AS(write({}, {{"a", DType::kF32, {3}, bytes}}),
                       "tensor \"a\" of [3] takes 12 bytes, got 8", Error);
  CHECK_THROWS_WITH_AS(write({}, {{"__metadata__", DType::kF32, {2}, bytes}}),
                       "no tensor can be named __metadata__", Error);
  CHECK_THROWS_WITH_AS(write({}, {{"a\x1b[2J", DType::kF32, {2}, bytes}}),
                       "the name \"a\\x1b[2J\" has control characters", Error);
  CHECK_THROWS_WITH_AS(write({{"k", "\xff"}}, {}), "\"\xff\" is not valid UTF-8", Error);
}

TEST_CASE("safetensors: truncated at any byte, or with bytes behind it, it is refused") {
  const Bytes whole = sample();
  REQUIRE(error_of(whole).empty());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const std::string error = error_of(Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(size)));
    CHECK(error.rfind("\"m.safetensors\": ", 0) == 0);
  }
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  CHECK(error_of(longer).find("the rest belongs to none") != std::string::npos);
}

TEST_CASE("safetensors: bad headers, each with its reason") {
  const struct {
    const char* header;
    std::size_t data_bytes;
    const char* error;
  } cases[] = {
      {"", 0, "does not start with '{'"},
      {" {}", 0, "does not start with '{'"},
      {"[]", 0, "does not start with '{'"},
      {"{", 0, "not valid JSON"},
      {"{}}", 0, "not valid JSON"},
      {"{}x", 0, "not valid JSON"},
      {"{\"a\xff\":{}}", 0, "not valid JSON"},
      {R"({"a":1})", 0, "has a number where it must not be, at \"a\""},
      {R"({"a":null})", 0, "has null where"},
      {R"({"a":true})", 0, "has a boolean where"},
      {R"({"a":"x"})", 0, "has a string where"},
      {R"({"a":[]})", 0, "has an array where"},
      {R"({"a":{}})", 0, "tensor \"a\" needs dtype, shape and data_offsets"},
      {R"({"a":{"dtype":"U8","shape":[1]}})", 1, "needs dtype, shape and data_offsets"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}})", 1,
       "unknown key \"more\" in tensor \"a\""},
      {R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1,
       "duplicate key \"dtype\" in \"a\""},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
       R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
       2, "duplicate name \"a\""},
      {R"({"__metadata__":{"k":"1","k":"2"}})", 0, "duplicate key \"k\" in \"__metadata__\""},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "duplicate name \"__metadata__\""},
      {R"({"__metadata__":{"k":1}})", 0, "has a number where it must not be"},
      {R"({"__metadata__":{"k":{}}})", 0, "has an object where it must not be"},
      {R"({"__metadata__":"x"})", 0, "has a string where it must not be"},
      {R"({"a\u001b[2J":{}})", 0, "the name \"a\\x1b[2J\" has control characters"},
      {R"({"a":{"dtype":"U9","shape":[1],"data_offsets":[0,1]}})", 1,
       "tensor \"a\": unknown dtype \"U9\""},
      {R"({"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})", 1, "has a number where"},
      {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "has a negative number"},
      {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1, "not an unsigned integer"},
      {R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1, "has an array where"},
      {R"({"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]}})", 1,
       "not an unsigned integer of 64 bits"},
      {R"({"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}})", 1,
       "is too large"},
      {R"({"a":{"dtype":"U8","shape":[9223372036854775807,2,1,1],"data_offsets":[0,1]}})", 1,
       "too many elements"},
      {R"({"a":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0,
       "overflows"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
       "too many elements"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "has 1 numbers, expected 2"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}})", 1, "3 numbers, expected 2"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1, "lies at [1, 0) of 1 bytes"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 1, "lies at [0, 2) of 1 bytes"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}})", 1,
       "tensor \"a\" of U8 [2] takes 2 bytes, but its data_offsets span 1"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1]}})", 1, "takes 4 bytes"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2, "there is a hole before it"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2, "belongs to none"},
      {R"({})", 1, "belongs to none"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
       R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "tensor \"b\" starts at byte 1 of the data, expected 2: tensors overlap"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
       R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
       2, "tensors overlap"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
       R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
       3, "tensor \"b\" starts at byte 2 of the data, expected 1: there is a hole"},
  };
  for (const auto& item : cases) {
    CAPTURE(item.header);
    const std::string error = error_of(file_of(item.header, item.data_bytes));
    CAPTURE(error);
    CHECK(error.find(item.error) != std::string::npos);
  }
  CHECK(error_of(file_of(std::string(100000, '['), 0)).find("'{'") != std::string::npos);
  CHECK(error_of(file_of("{\"a\":" + std::string(100000, '['), 0)).find("an array") !=
        std::string::npos);
}

TEST_CASE("safetensors: a header length beyond the cap or the file is refused before any use") {
  for (const std::uint64_t length :
       {std::uint64_t{100'000'001}, std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    Bytes bytes = sample();
    std::memcpy(bytes.data(), &length, 8);
    CHECK(error_of(bytes).find("header would have") != std::string::npos);
  }
  Bytes bytes = sample();
  const std::uint64_t beyond = bytes.size() - 7;
  std::memcpy(bytes.data(), &beyond, 8);
  CHECK(error_of(bytes).find("truncated") != std::string::npos);
}

TEST_CASE("safetensors: nothing hides behind a NUL in the header") {
  CHECK(error_of(file_of("{}    ", 0)) == "");
  CHECK(error_of(file_of(std::string("{}\0abc", 6), 0)).find("NUL") != std::string::npos);
}

TEST_CASE("safetensors: with any byte changed it is refused, or what is read writes the same") {
  const Bytes whole = sample();
  Rng rng(1, RngPurpose::kTest);
  int accepted = 0, refused = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    Bytes bytes = whole;
    for (std::uint32_t edit = 0, edits = 1 + rng.below(3); edit < edits; ++edit) {
      bytes[rng.below(static_cast<std::uint32_t>(bytes.size()))] = std::byte(rng.below(256));
    }
    try {
      const auto file = SafetensorsFile::parse(std::move(bytes), "m");
      const auto again =
          SafetensorsFile::parse(serialize_safetensors(file.metadata(), file.tensors()), "m");
      CHECK(again.metadata() == file.metadata());
      CHECK(again.tensors().size() == file.tensors().size());
      ++accepted;
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(accepted > 100);  // flips in the data and in names are legal
  CHECK(refused > 100);
}

}  // namespace octet
