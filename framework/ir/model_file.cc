#include "ir/model_file.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/float_environment.h"
#include "file/atomic_write.h"
#include "file/printable.h"
#include "file/read_file.h"
#include "file/safetensors.h"
#include "file/sha256.h"
#include "ir/graph_json.h"

namespace octet::ir {
namespace {

const std::set<std::string> kKeys = {"octet.class_names", "octet.dataset", "octet.format",
                                     "octet.graph",       "octet.model",   "octet.sha256",
                                     "octet.version"};

void add_text(Sha256& hash, std::string_view text) {
  hash.update(std::as_bytes(std::span(text.data(), text.size())));
}

// Everything in the file but the digest itself, as docs/model_file.md says: the metadata by key,
// then the tensors by name.
std::string content_sha256(const std::map<std::string, std::string>& metadata,
                           std::vector<TensorEntry> tensors) {
  Sha256 hash;
  for (const auto& [key, value] : metadata) {
    if (key != "octet.sha256") add_text(hash, message(key, "\n", value.size(), "\n", value, "\n"));
  }
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorEntry& a, const TensorEntry& b) { return a.name < b.name; });
  for (const TensorEntry& tensor : tensors) {
    add_text(hash, message(tensor.name, "\n", name_of(tensor.dtype), "\n"));
    for (int axis = 0; axis < tensor.shape.rank(); ++axis) {
      add_text(hash, message(axis == 0 ? "" : ",", tensor.shape[axis]));
    }
    add_text(hash, "\n");
    hash.update(tensor.bytes);
  }
  return hash.hex();
}

void check_metadata(const std::map<std::string, std::string>& metadata) {
  const auto is = [&](const char* key, const char* expected) {
    const auto found = metadata.find(key);
    return found != metadata.end() && found->second == expected;
  };
  const auto what_it_is = [&](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? "missing" : message("\"", printable(found->second), "\"");
  };
  OCTET_CHECK(is("octet.format", kModelFormat),
              "not an integer model: its metadata \"octet.format\" is ", what_it_is("octet.format"),
              ", expected \"", kModelFormat,
              "\"; an integer model is the model_int8.safetensors of a quantized run");
  OCTET_CHECK(is("octet.version", kModelVersion), "its octet.version is ",
              what_it_is("octet.version"), ", this build reads \"", kModelVersion,
              "\"; use the version of Octet that wrote it, or convert the model again");
  for (const auto& [key, value] : metadata) {
    OCTET_CHECK(kKeys.count(key) == 1, "unknown metadata \"", printable(key),
                "\"; it was written by another program or a newer Octet");
  }
  for (const std::string& key : kKeys) {
    OCTET_CHECK(metadata.count(key) == 1, "no metadata \"", key, "\"; convert the model again");
  }
}

template <class Parse>
auto parse_part(const char* key, const SafetensorsFile& file, Parse parse) {
  try {
    return parse(file.metadata_at(key));
  } catch (const Error& error) {
    throw Error(message("metadata \"", key, "\": ", error.what(), "; convert the model again"));
  }
}

Graph graph_of(const SafetensorsFile& file) {
  check_metadata(file.metadata());
  OCTET_CHECK(content_sha256(file.metadata(), file.tensors()) == file.metadata_at("octet.sha256"),
              "damaged: its content does not have the SHA-256 in its metadata; copy it again or "
              "convert the model again");
  Graph graph = parse_part("octet.graph", file, graph_from_json);
  graph.class_names = parse_part("octet.class_names", file, strings_from_json);
  graph.model = file.metadata_at("octet.model");
  graph.dataset = file.metadata_at("octet.dataset");
  for (const TensorEntry& tensor : file.tensors()) {
    graph.constants[tensor.name] = {
        tensor.dtype, tensor.shape, {tensor.bytes.begin(), tensor.bytes.end()}};
  }
  graph.validate();
  return graph;
}

}  // namespace

std::vector<std::byte> serialize_model(const Graph& graph) {
  const FloatEnvironment environment;
  graph.validate();
  std::map<std::string, std::string> metadata = {
      {"octet.format", kModelFormat},
      {"octet.version", kModelVersion},
      {"octet.model", graph.model},
      {"octet.dataset", graph.dataset},
      {"octet.class_names", strings_to_json(graph.class_names)},
      {"octet.graph", graph_to_json(graph)}};
  std::vector<TensorEntry> tensors;
  for (const auto& [name, constant] : graph.constants) {
    tensors.push_back({name, constant.dtype, constant.shape, constant.bytes});
  }
  metadata["octet.sha256"] = content_sha256(metadata, tensors);
  return serialize_safetensors(metadata, std::move(tensors));
}

// not fuzzed: it writes
void write_model(const std::string& path, const Graph& graph) {
  atomic_write(path, serialize_model(graph));
}

Graph parse_model(std::vector<std::byte> bytes, const std::string& source_name) {
  const FloatEnvironment environment;
  const SafetensorsFile file = SafetensorsFile::parse(std::move(bytes), source_name);
  try {
    return graph_of(file);
  } catch (const Error& error) {
    throw Error(message("\"", printable(source_name), "\": ", error.what()));
  }
}

// not fuzzed: the file system; parse_model is the reader
Graph read_model(const std::string& path) { return parse_model(read_file(path), path); }

}  // namespace octet::ir
