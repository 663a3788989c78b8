// Nodes that compute on constants: sizes and axes, as exporters compute the shape of a Reshape.
#include <algorithm>
#include <cmath>

#include "onnx/importer.h"

namespace octet {
namespace {

using Type = pb::TensorProto;

Constant list_of(std::vector<std::int64_t> integers) {
  Constant c;
  c.type = Type::INT64;
  c.dims = {static_cast<std::int64_t>(integers.size())};
  c.integers = std::move(integers);
  return c;
}

bool is_list(const Constant& c) {
  return (c.type == Type::INT64 || c.type == Type::INT32) && c.dims.size() <= 1;
}

}  // namespace

std::vector<std::int64_t> Importer::sizes(const OnnxNode& node, std::size_t i,
                                          const char* what) const {
  const Constant& c = constant(node, i, what);
  node.require(is_list(c), "has a ", what, " that is no list of integers");
  return c.integers;
}

void Importer::read_constant_value(const OnnxNode& node) {
  node.require(node.proto().attribute_size() == 1, "has ", node.proto().attribute_size(),
               " attributes; a constant has one");
  const pb::AttributeProto& a = node.proto().attribute(0);
  Constant c;
  if (a.name() == "value") {
    node.require(a.type() == pb::AttributeProto::TENSOR && a.has_t(), "has a value that is no ",
                 "tensor");
    try {
      c = read_constant(a.t());
    } catch (const Error& error) {
      node.fail(error.what());
    }
  } else if (a.name() == "value_ints") {
    c = list_of(node.integers("value_ints", {}));
  } else if (a.name() == "value_int") {
    c = list_of({node.integer("value_int", 0)});
    c.dims.clear();
  } else if (a.name() == "value_float") {
    c.reals = {node.real("value_float", 0.0f)};
    node.require(std::isfinite(c.reals[0]), "has the value ", c.reals[0]);
  } else {
    node.fail("gives neither a tensor nor integers nor one number");
  }
  budget_ += 8 * c.numel();
  constants_[node.output()] = std::move(c);
}

bool Importer::read_constant_node(const OnnxNode& node) {
  const std::string& op = node.op();
  if (op == "Constant") {
    read_constant_value(node);
    return true;
  }
  for (std::size_t i = 0; i < node.inputs(); ++i) {
    if (!node.input(i).empty() && !is_constant(node.input(i))) return false;
  }
  if (node.inputs() == 0) return false;
  if (op == "Identity") {
    const Constant copy = constant(node, 0, "input");
    spend(node, copy.numel());
    constants_[node.output()] = copy;
    return true;
  }
  if (op != "Unsqueeze" && op != "Squeeze" && op != "Cast" && op != "Gather" && op != "Concat") {
    return false;
  }
  for (std::size_t i = 0; i < node.inputs(); ++i) {
    node.require(is_list(constant(node, i, "input")),
                 "computes on constants that are no sizes; fold constants before (onnxsim, or ONNX "
                 "Runtime's basic optimizations)");
  }
  const Constant first = constant(node, 0, "input");
  if (op == "Concat") {
    const std::int64_t axis = node.integer("axis", 0);
    node.require(axis == 0 || axis == -1, "joins lists along axis ", axis);
    std::vector<std::int64_t> all;
    for (std::size_t i = 0; i < node.inputs(); ++i) {
      const Constant& part = constant(node, i, "part");
      spend(node, part.numel());
      all.insert(all.end(), part.integers.begin(), part.integers.end());
    }
    constants_[node.output()] = list_of(std::move(all));
    return true;
  }
  if (op == "Gather") {
    const Constant& index = constant(node, 1, "index");
    const std::int64_t axis = node.integer("axis", 0);
    const auto count = static_cast<std::int64_t>(first.integers.size());
    node.require(index.integers.size() == 1 && first.dims.size() == 1 && (axis == 0 || axis == -1),
                 "picks something else than one of a list's elements");
    const std::int64_t i = index.integers[0] < 0 ? index.integers[0] + count : index.integers[0];
    node.require(i >= 0 && i < count, "has index ", index.integers[0], " of ", count);
    Constant picked = list_of({first.integers[static_cast<std::size_t>(i)]});
    picked.dims = index.dims;
    constants_[node.output()] = std::move(picked);
    return true;
  }
  // One number as a list of one, and back; integers as other integers that hold them.
  Constant copy = first;
  if (op == "Cast") {
    const std::int64_t to = node.integer("to", 0);
    const bool fits = to == Type::INT64 || (to == Type::INT32 && first.type == Type::INT32);
    node.require(fits, "changes the type of a constant; only integers to int64 are supported");
    copy.type = Type::INT64;
  } else {
    node.require(first.integers.size() == 1, "changes the rank of a constant of ",
                 first.integers.size(), " elements; one is supported");
    copy.dims = op == "Unsqueeze" ? std::vector<std::int64_t>{1} : std::vector<std::int64_t>{};
  }
  spend(node, copy.numel());
  constants_[node.output()] = std::move(copy);
  return true;
}

void Importer::read_cast(const OnnxNode& node) {
  node.require(node.integer("to", 0) == Type::FLOAT && !value(node, 0).codes,
               "changes the type of a tensor; only float32 to float32 is supported");
  alias(node);
}

void Importer::read_shape(const OnnxNode& node) {
  const Shape& s = value(node, 0).shape;
  std::vector<std::int64_t> all{kBatch};
  if (s.rank() == 3) all.insert(all.end(), {s[2], s[0], s[1]});
  if (s.rank() == 1) all.push_back(s[0]);
  const auto count = static_cast<std::int64_t>(all.size());
  const auto bound = [&](const char* name, std::int64_t otherwise) {
    const std::int64_t i = node.integer(name, otherwise);
    return std::clamp<std::int64_t>(i < 0 ? i + count : i, 0, count);
  };
  const std::int64_t start = bound("start", 0), end = std::max(start, bound("end", count));
  constants_[node.output()] = list_of({all.begin() + start, all.begin() + end});
}

}  // namespace octet
