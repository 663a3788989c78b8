#pragma once

#include <optional>

#include "ir/graph.h"
#include "tests/fuzz/choices.h"

namespace octet::fuzz {

// An integer graph that is built op by op as the choices say, right by construction. Reaches
// planner and kernels, where changed bytes of a file rarely get. None if a node was refused and
// left values behind that no node makes.
std::optional<ir::Graph> grow_graph(Choices& choices);

}  // namespace octet::fuzz
