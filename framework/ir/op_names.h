#pragma once

#include <array>
#include <variant>

#include "ir/graph.h"

namespace octet::ir {

// Names of the alternatives of Op, in their order: the words of model files.
inline constexpr std::array<const char*, std::variant_size_v<Op>> kOpNames = {
    "InputTable", "Quantize",  "QConv2d", "QLinear", "QAdd",
    "MaxPool2d",  "AvgPool2d", "Concat",  "Flatten"};

// Calls visit with the functions of F, one per alternative: a missing one does not compile.
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace octet::ir
