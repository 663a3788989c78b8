#include "ir/model_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "file/safetensors.h"
#include "file/sha256.h"
#include "tests/ir/graph_builder.h"

namespace octet {

using ir::Graph;
using testing::GraphBuilder;
using testing::lenet_graph;
using testing::small_graph;

TEST_SUITE_BEGIN("ir");

namespace {

std::string error_of(std::vector<std::byte> bytes) {
  try {
    ir::parse_model(std::move(bytes), "m.safetensors");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// A model file in pieces, which tests change and put together again with a right digest, so that
// they reach the checks behind it. The digest is computed here from docs/model_file.md.
struct Pieces {
  std::map<std::string, std::string> metadata;
  std::map<std::string, ir::Constant> tensors;

  explicit Pieces(const Graph& graph) : tensors(graph.constants) {
    metadata = SafetensorsFile::parse(ir::serialize_model(graph), "m").metadata();
  }

  void replace(const std::string& key, const std::string& from, const std::string& to) {
    std::string& text = metadata.at(key);
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
  }

  std::vector<std::byte> bytes() const {
    std::string hashed;
    for (const auto& [key, value] : metadata) {
      if (key == "octet.sha256") continue;
      hashed += key + "\n" + std::to_string(value.size()) + "\n" + value + "\n";
    }
    std::vector<TensorEntry> entries;
    for (const auto& [name, constant] : tensors) {
      std::string dims = constant.shape.to_string();  // [4, 3] -> 4,3
      for (const char c : {'[', ']', ' '})
        dims.erase(std::remove(dims.begin(), dims.end(), c), dims.end());
      hashed += name + "\n" + std::string(name_of(constant.dtype)) + "\n" + dims + "\n";
      hashed.append(reinterpret_cast<const char*>(constant.bytes.data()), constant.bytes.size());
      entries.push_back({name, constant.dtype, constant.shape, constant.bytes});
    }
    auto with_digest = metadata;
    if (with_digest.count("octet.sha256") == 1) {
      with_digest["octet.sha256"] =
          sha256_hex(std::as_bytes(std::span(hashed.data(), hashed.size())));
    }
    return serialize_safetensors(with_digest, entries);
  }
};

// The file with another text as its header, the length field adjusted.
std::vector<std::byte> with_header(const std::vector<std::byte>& bytes,
                                   const std::function<std::string(std::string)>& change) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + 8;
  const std::string header = change(std::string(text, text + length));
  length = header.size();
  std::vector<std::byte> result(8 + header.size());
  std::memcpy(result.data(), &length, 8);
  std::memcpy(result.data() + 8, header.data(), header.size());
  std::uint64_t old_length = 0;
  std::memcpy(&old_length, bytes.data(), 8);
  result.insert(result.end(), bytes.begin() + 8 + static_cast<std::ptrdiff_t>(old_length),
                bytes.end());
  return result;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("model file: reading gives the graph that was written, and writing it the same bytes") {
  GraphBuilder b(9);
  b.logits("fc", b.flatten("f", b.quantize("q", b.input({2, 2, 3}, {}, DType::kF32))), 4);
  for (const Graph& graph : {small_graph(), lenet_graph(), b.graph}) {
    const std::vector<std::byte> bytes = ir::serialize_model(graph);
    const Graph read = ir::parse_model(bytes, "m");
    CHECK((read == graph));
    CHECK((ir::serialize_model(read) == bytes));
    CHECK((Pieces(graph).bytes() == bytes));  // the digest is the documented one
  }
}

TEST_CASE("model file: through a file on disk") {
  const std::string path =
      (std::filesystem::temp_directory_path() / "octet_model_file_test.safetensors").string();
  ir::write_model(path, small_graph());
  CHECK((ir::read_model(path) == small_graph()));
  std::filesystem::remove(path);
  CHECK_THROWS_AS(ir::read_model(path), Error);
}

TEST_CASE("model file: int8 LeNet fits into a quarter of its float weights and 8 KB") {
  const std::size_t size = ir::serialize_model(lenet_graph()).size();
  CAPTURE(size);
  CHECK(size <= 61706 + 8000);
}

TEST_CASE("model file: an invalid graph is not written") {
  Graph graph = small_graph();
  graph.values[1].qparams.scale = 0.0f;
  CHECK_THROWS_AS(ir::serialize_model(graph), Error);
  graph = small_graph();
  graph.class_names[0] = "\xFF";
  CHECK_THROWS_AS(ir::serialize_model(graph), Error);
}

TEST_CASE("model file: cut at any byte it is refused") {
  const std::vector<std::byte> bytes = ir::serialize_model(small_graph());
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    accepted +=
        error_of({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}).empty();
  }
  CHECK(accepted == 0);
  std::vector<std::byte> longer = bytes;
  longer.push_back(std::byte{0});
  CHECK(error_of(longer).find("the rest belongs to none") != std::string::npos);
}

TEST_CASE("model file: with any byte changed by one bit it is refused") {
  const std::vector<std::byte> bytes = ir::serialize_model(small_graph());
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::vector<std::byte> flipped = bytes;
    flipped[i] ^= std::byte{1} << (i % 8);
    accepted += error_of(std::move(flipped)).empty();
  }
  CHECK(accepted == 0);
}

TEST_CASE("model file: damage to the container is named") {
  const std::vector<std::byte> good = ir::serialize_model(small_graph());
  struct Case {
    std::string what;
    std::function<std::vector<std::byte>()> make;
    const char* says;
  };
  const auto length = [&](std::uint64_t n) {
    std::vector<std::byte> bytes = good;
    std::memcpy(bytes.data(), &n, 8);
    return bytes;
  };
  const auto header = [&](const std::string& from, const std::string& to) {
    return with_header(good, [&](std::string text) { return replaced(text, from, to); });
  };
  const std::vector<Case> cases = {
      {"empty", [] { return std::vector<std::byte>(); }, "an empty file"},
      {"header beyond the cap", [&] { return length(100'000'001); }, "its header would have"},
      {"header of 2^64 - 1", [&] { return length(~std::uint64_t{0}); }, "its header would have"},
      {"header beyond the file", [&] { return length(good.size()); }, "truncated"},
      {"header is no JSON", [&] { return header("{\"__meta", "{__meta"); }, "not valid JSON"},
      {"overlap",
       [&] {
         return header("\"shape\":[4],\"data_offsets\":[0,16]",
                       "\"shape\":[4],\"data_offsets\":[16,32]");
       },
       "there is a hole"},
      {"sizes that overflow",
       [&] {
         return header("\"shape\":[4],\"data_offsets\":[0,16]",
                       "\"shape\":[4611686018427387904,4],\"data_offsets\":[0,16]");
       },
       "too many elements"},
      {"negative shape", [&] { return header("\"shape\":[4],", "\"shape\":[-4],"); },
       "a negative number"},
      {"duplicate metadata",
       [&] { return header("\"octet.dataset\":", "\"octet.model\":\"a\",\"octet.dataset\":"); },
       "duplicate key \"octet.model\""},
      {"two tensors of one name", [&] { return header("\"conv.multiplier\"", "\"conv.bias\""); },
       "duplicate name \"conv.bias\""},
      {"another digest", [&] { return header("\"octet.sha256\":\"", "\"octet.sha256\":\"0"); },
       "damaged"},
      {"a name of a tensor", [&] { return header("\"conv.bias\"", "\"conv.bia\""); }, "damaged"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    const std::string says = error_of(c.make());
    CAPTURE(says);
    CHECK(says.find("\"m.safetensors\": ") == 0);
    CHECK(says.find(c.says) != std::string::npos);
  }
}

TEST_CASE("model file: what lies behind a right digest is checked too") {
  struct Case {
    std::string what;
    std::function<void(Pieces&)> damage;
    const char* says;
  };
  const auto graph = [](const std::string& from, const std::string& to) {
    return [=](Pieces& p) { p.replace("octet.graph", from, to); };
  };
  const std::vector<Case> cases = {
      {"a checkpoint", [](Pieces& p) { p.metadata["octet.format"] = "checkpoint"; },
       "not an integer model: its metadata \"octet.format\" is \"checkpoint\""},
      {"another program's file", [](Pieces& p) { p.metadata.erase("octet.format"); }, "is missing"},
      {"a newer version", [](Pieces& p) { p.metadata["octet.version"] = "2"; },
       "its octet.version is \"2\", this build reads \"1\"; use the version"},
      {"no version", [](Pieces& p) { p.metadata.erase("octet.version"); },
       "octet.version is missing"},
      {"unknown metadata", [](Pieces& p) { p.metadata["author"] = "me"; },
       "unknown metadata \"author\""},
      {"no digest", [](Pieces& p) { p.metadata.erase("octet.sha256"); },
       "no metadata \"octet.sha256\""},
      {"no graph", [](Pieces& p) { p.metadata.erase("octet.graph"); },
       "no metadata \"octet.graph\""},
      {"class names are no list", [](Pieces& p) { p.metadata["octet.class_names"] = "{}"; },
       "metadata \"octet.class_names\": not a JSON array"},
      {"class names are numbers", [](Pieces& p) { p.metadata["octet.class_names"] = "[1,2,3]"; },
       "element 0 is not a string"},
      {"graph is no JSON", [](Pieces& p) { p.metadata["octet.graph"] = "{"; },
       "metadata \"octet.graph\": malformed JSON at byte 2"},
      {"text behind a NUL", [](Pieces& p) { p.metadata["octet.graph"] += std::string("\0 x", 3); },
       "has a NUL byte"},
      {"graph is a list", [](Pieces& p) { p.metadata["octet.graph"] = "[]"; },
       "the graph is not a JSON object"},
      {"deep nesting", [](Pieces& p) { p.metadata["octet.graph"] = std::string(100'000, '['); },
       "nested more than"},
      {"an object of many keys, each of which is compared with all before it",
       [](Pieces& p) {
         std::string text = "{";
         for (int i = 0; i < 60'000; ++i) text += message("\"", i, "\":0,");
         p.metadata["octet.graph"] = text + "\"\":0}";
       },
       "an object of more than 32 keys"},
      {"values are no list",
       [](Pieces& p) { p.metadata["octet.graph"] = R"({"input":0,"output":0,"values":{}})"; },
       "\"values\" is not an array"},
      {"unknown key of the graph", graph("{\"input\"", "{\"extra\":0,\"input\""),
       "the graph has the unknown key \"extra\""},
      {"unknown key of a value", graph("\"dtype\"", "\"extra\":0,\"dtype\""),
       "value 0 has the unknown key \"extra\""},
      {"unknown key of a node", graph("\"op\"", "\"extra\":0,\"op\""),
       "node 0 has the unknown key \"extra\""},
      {"attribute of another op", graph("\"op\":\"Concat\"", "\"stride\":1,\"op\":\"Concat\""),
       "has the unknown key \"stride\""},
      {"missing key", graph("\"groups\":2,", ""), "node 2 has no \"groups\""},
      {"duplicate key", graph("\"groups\":2,", "\"groups\":2,\"groups\":2,"),
       "duplicate key \"groups\""},
      {"unknown op", graph("\"QAdd\"", "\"QMul\""), "node 3 has the unknown op \"QMul\""},
      {"unknown dtype", graph("\"U8\"", "\"U4\""), "unknown dtype \"U4\""},
      {"text for a number", graph("\"groups\":2", "\"groups\":\"2\""), "is not an integer"},
      {"fraction for an integer", graph("\"groups\":2", "\"groups\":2.0"), "is not an integer"},
      {"integer beyond 64 bits", graph("\"groups\":2", "\"groups\":18446744073709551615"),
       "is not an integer of 64 bits"},
      {"integer beyond 32 bits", graph("\"clamp_min\":3", "\"clamp_min\":4294967299"),
       "is not an integer of 32 bits"},
      {"negative beyond 32 bits", graph("\"clamp_min\":3", "\"clamp_min\":-4294967293"),
       "is not an integer of 32 bits"},
      {"a number for a text", graph("\"name\":\"input\"", "\"name\":7"),
       "\"name\" is not a string"},
      {"number beyond double", graph("\"scale\":1.0", "\"scale\":1e999"), "out of range"},
      {"number beyond float", graph("\"scale\":1.0", "\"scale\":1e39"), "not a float32"},
      {"number between floats", graph("\"scale\":1.0", "\"scale\":1.00000000001"), "not a float32"},
      {"scale 0", graph("\"scale\":1.0", "\"scale\":0.0"), "\"input\" has scale 0"},
      {"scale negative", graph("\"scale\":1.0", "\"scale\":-1.0"), "\"input\" has scale -1"},
      {"scale infinite", graph("\"scale\":1.0", "\"scale\":Infinity"), "malformed JSON"},
      {"scale NaN", graph("\"scale\":1.0", "\"scale\":NaN"), "malformed JSON"},
      {"scale null", graph("\"scale\":1.0", "\"scale\":null"), "is not a number"},
      {"float between input and logits",
       graph("\"name\":\"conv\",\"dtype\":\"U8\"", "\"name\":\"conv\",\"dtype\":\"F32\""),
       "makes value \"conv\" of dtype F32"},
      {"accumulator that could overflow",
       [](Pieces& p) {
         const std::int32_t most = 2147483647;
         std::memcpy(p.tensors.at("conv.bias").bytes.data(), &most, 4);
       },
       "[conv] QConv2d could overflow its int32 accumulator in channel 0"},
      {"a missing tensor", [](Pieces& p) { p.tensors.erase("conv.shift"); },
       "[conv] QConv2d has no constant \"shift\""},
      {"a tensor too many", [](Pieces& p) { p.tensors["extra"] = p.tensors["conv.shift"]; },
       "[extra] no node uses this constant"},
      {"huge value", graph("\"shape\":[5,7,3]", "\"shape\":[5,9223372036854775807,3]"),
       "too many elements"},
      {"id that is not there", graph("\"inputs\":[0]", "\"inputs\":[2147483647]"),
       "refers to value 2147483647"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Pieces pieces(small_graph());
    c.damage(pieces);
    const std::string says = error_of(pieces.bytes());
    CAPTURE(says);
    CHECK(says.find("\"m.safetensors\": ") == 0);
    CHECK(says.find(c.says) != std::string::npos);
  }
}

TEST_CASE("model file: random changes to the graph's JSON never do harm") {
  const Pieces good(small_graph());
  const std::string letters = "0123456789-{}[]\",:.eE truefalsn\\u";
  std::size_t refused = 0;
  for (std::uint32_t seed = 0; seed < 1000; ++seed) {
    Rng rng(seed, RngPurpose::kTest);
    Pieces pieces = good;
    std::string& text = pieces.metadata["octet.graph"];
    for (std::uint32_t changes = 1 + rng.below(3); changes > 0; --changes) {
      const std::size_t at = rng.below(static_cast<std::uint32_t>(text.size()));
      const char letter = letters[rng.below(static_cast<std::uint32_t>(letters.size()))];
      if (rng.below(3) == 0)
        text.erase(at, 1 + rng.below(4));
      else if (rng.below(2) == 0)
        text.insert(at, 1, letter);
      else
        text[at] = letter;
    }
    refused += !error_of(pieces.bytes()).empty();
  }
  CHECK(refused > 800);  // the others are equal, or changed a name
}

TEST_SUITE_END();

}  // namespace octet
