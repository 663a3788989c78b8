#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace octet::ir {

// Values, nodes, input and output of a graph as compact JSON, the metadata "graph" of a model file.
std::string graph_to_json(const Graph& graph);

// The inverse: a graph without constants, model, dataset and class names; validate() is still to be
// called. Throws Error that names the place: malformed JSON, missing, unknown or duplicate keys,
// numbers of another type or out of range.
Graph graph_from_json(std::string_view json);

// ["cat", "dog"]
std::string strings_to_json(const std::vector<std::string>& strings);
std::vector<std::string> strings_from_json(std::string_view json);

}  // namespace octet::ir
