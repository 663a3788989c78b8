#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ir/graph.h"

// The integer model file, a .safetensors file: docs/model_file.md.
namespace octet::ir {

inline constexpr const char* kModelFormat = "int8";
inline constexpr const char* kModelVersion = "1";

// The bytes of the file; the same graph gives the same bytes. Throws Error if the graph is not
// valid.
std::vector<std::byte> serialize_model(const Graph& graph);

// serialize_model, written atomically.
void write_model(const std::string& path, const Graph& graph);

// The graph of a file, validated, equal to the one that was written. Throws Error that names the
// file, the place in it, and what to do: not a model file, another version, damaged (SHA-256),
// unknown or missing keys, a graph that validate() refuses.
Graph read_model(const std::string& path);
Graph parse_model(std::vector<std::byte> bytes, const std::string& source_name);

}  // namespace octet::ir
