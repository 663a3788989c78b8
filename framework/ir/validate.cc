#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/float_environment.h"
#include "file/printable.h"
#include "ir/graph.h"
#include "ir/infer_shape.h"
#include "ir/op_names.h"
#include "ir/weight_sums.h"

namespace octet::ir {
namespace {

constexpr std::size_t kMaxNodes = 1 << 14;
constexpr std::size_t kMaxNameBytes = 256;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;  // of one value, without batch
// Of one value: 4096 x 4096. The engine lists them, so a small file would take much memory.
constexpr std::int64_t kMaxPixels = std::int64_t{1} << 24;
constexpr std::int64_t kMaxAccumulator = std::numeric_limits<std::int32_t>::max();

void check_name(const char* what, const std::string& name) {
  bool ok = !name.empty() && name.size() <= kMaxNameBytes;
  for (const char c : name) ok = ok && c > ' ' && c < 0x7F;
  OCTET_CHECK(ok, "the graph has a ", what, " whose name is empty, longer than ", kMaxNameBytes,
              " bytes or not printable ASCII; rename it in the model");
}

bool usable(float scale) {
  return scale > 0.0f && std::isnormal(scale) && std::isnormal(1.0f / scale);
}

// Checks one graph. The order matters: names and ids first, so that later checks may index and
// their messages may name.
class Validator {
 public:
  explicit Validator(const Graph& graph) : g_(graph) {}

  void run() {
    check_counts_and_names();
    for (const Value& value : g_.values) check_value(value);
    check_id("the graph's input", g_.input);
    check_id("the graph's output", g_.output);
    check_wiring();
    for (const Node& node : g_.nodes) check_node(node);
    check_ends();
    for (const auto& [name, constant] : g_.constants) {
      OCTET_CHECK(used_constants_.count(name) == 1, "[", name,
                  "] no node uses this constant; convert the model again");
    }
  }

 private:
  void check_counts_and_names() const {
    OCTET_CHECK(!g_.nodes.empty() && g_.nodes.size() <= kMaxNodes, "a graph has between 1 and ",
                kMaxNodes, " nodes, got ", g_.nodes.size());
    OCTET_CHECK(g_.values.size() <= kMaxNodes + 1, "a graph has at most ", kMaxNodes + 1,
                " values, got ", g_.values.size());
    bool plain = !has_control_characters(g_.model) && !has_control_characters(g_.dataset);
    for (const std::string& name : g_.class_names) plain = plain && !has_control_characters(name);
    OCTET_CHECK(plain, "the name of the model, the dataset or a class has control characters");
    std::set<std::string> names;
    for (const Value& value : g_.values) {
      check_name("value", value.name);
      OCTET_CHECK(names.insert(value.name).second, "two values are named \"", value.name,
                  "\"; names must be unique");
    }
    names.clear();
    for (const Node& node : g_.nodes) {
      check_name("node", node.name);
      OCTET_CHECK(names.insert(node.name).second, "two nodes are named \"", node.name,
                  "\"; names must be unique");
    }
  }

  void check_value(const Value& value) const {
    const std::string name = "value \"" + value.name + "\"";
    OCTET_CHECK(
        value.dtype == DType::kU8 || value.dtype == DType::kI32 || value.dtype == DType::kF32, name,
        " has dtype ", name_of(value.dtype), "; expected U8, I32 or F32");
    OCTET_CHECK(value.shape.rank() == 3 || value.shape.rank() == 1, name, " has shape ",
                value.shape, "; expected [H, W, C] or [C], without batch");
    for (const std::int64_t extent : value.shape.dims()) {
      OCTET_CHECK(extent >= 1, name, " has shape ", value.shape, "; extents must be positive");
    }
    OCTET_CHECK(value.shape.numel() <= kMaxElements, name, " has shape ", value.shape,
                ", more than ", kMaxElements, " elements");
    OCTET_CHECK(value.shape.rank() == 1 || value.shape[0] * value.shape[1] <= kMaxPixels, name,
                " has shape ", value.shape, ", more than ", kMaxPixels, " pixels");
    OCTET_CHECK(usable(value.qparams.scale), name, " has scale ", value.qparams.scale,
                "; a scale and its inverse must be positive, finite and normal");
    const std::int32_t zero_max = value.dtype == DType::kI32 ? 0 : 255;
    OCTET_CHECK(value.qparams.zero_point >= 0 && value.qparams.zero_point <= zero_max, name,
                " has zero_point ", value.qparams.zero_point, "; expected [0, ", zero_max, "]");
  }

  template <class Where>
  void check_id(const Where& where, ValueId id) const {
    OCTET_CHECK(id >= 0 && static_cast<std::size_t>(id) < g_.values.size(), where,
                " refers to value ", id, ", but the graph has ", g_.values.size(), " values");
  }

  // Every value but the input is made by exactly one node, before any node reads it.
  void check_wiring() const {
    std::vector<bool> made(g_.values.size(), false);
    made[static_cast<std::size_t>(g_.input)] = true;
    for (const Node& node : g_.nodes) {
      const std::string where = "[" + node.name + "]";
      for (const ValueId id : node.inputs) {
        check_id(where, id);
        OCTET_CHECK(made[static_cast<std::size_t>(id)], where, " reads value \"", g_.value(id).name,
                    "\" before a node has made it; order the nodes");
      }
      check_id(where, node.output);
      OCTET_CHECK(!made[static_cast<std::size_t>(node.output)], where, " makes value \"",
                  g_.value(node.output).name, "\", which exists already");
      made[static_cast<std::size_t>(node.output)] = true;
    }
    for (std::size_t i = 0; i < made.size(); ++i) {
      OCTET_CHECK(made[i], "no node makes value \"", g_.values[i].name, "\"");
    }
  }

  template <class... Parts>
  static void check(const Node& node, bool ok, const Parts&... parts) {
    OCTET_CHECK(ok, "[", node.name, "] ", op_name(node.op), " ", parts...);
  }

  // Shapes, dtypes, then what is special to the op.
  void check_node(const Node& node) {
    check(node, !node.inputs.empty(), "has no inputs");
    const bool has_weight =
        std::holds_alternative<QConv2d>(node.op) || std::holds_alternative<QLinear>(node.op);
    const int weight_rank = std::holds_alternative<QConv2d>(node.op) ? 4 : 2;
    const Shape weight =
        has_weight ? use_constant(node, "weight", DType::kI8, weight_rank).shape : Shape{};
    std::vector<Shape> shapes;
    for (const ValueId id : node.inputs) shapes.push_back(g_.value(id).shape);
    const Shape inferred = infer_shape(node, shapes, weight);
    const Value& y = g_.value(node.output);
    check(node, y.shape == inferred, "gives shape ", inferred, ", but value \"", y.name,
          "\" has shape ", y.shape);

    const DType expected_input =
        std::holds_alternative<Quantize>(node.op) ? DType::kF32 : DType::kU8;
    for (const ValueId id : node.inputs) {
      const Value& x = g_.value(id);
      check(node, x.dtype == expected_input, "reads ", name_of(expected_input), ", but value \"",
            x.name, "\" is ", name_of(x.dtype),
            "; only Quantize may read float, and nothing reads the logits");
    }
    const bool logits = node.output == g_.output;
    check(node, y.dtype == (logits ? DType::kI32 : DType::kU8), "makes value \"", y.name,
          "\" of dtype ", name_of(y.dtype), "; expected U8, and I32 for the graph's output");
    check(node, !logits || std::holds_alternative<QLinear>(node.op),
          "makes the graph's output; only QLinear makes logits");
    std::visit([&](const auto& op) { check_op(node, op, g_.value(node.inputs[0]), y); }, node.op);
  }

  void check_op(const Node& node, const InputTable&, const Value& x, const Value&) {
    check(node, node.inputs[0] == g_.input, "must read the graph's input");
    const Shape& shape = use_constant(node, "table", DType::kU8, 2).shape;
    const Shape expected{256, x.shape[x.shape.rank() - 1]};
    check(node, shape == expected, "expects a table of shape ", expected, ", got ", shape);
  }

  void check_op(const Node& node, const Quantize&, const Value&, const Value&) const {
    check(node, node.inputs[0] == g_.input, "must read the graph's input");
  }

  void check_op(const Node& node, const QConv2d& op, const Value& x, const Value& y) {
    check_clamp(node, op.clamp_min, op.clamp_max);
    check_weights(node, x, y);
  }

  void check_op(const Node& node, const QLinear& op, const Value& x, const Value& y) {
    check_clamp(node, op.clamp_min, op.clamp_max);
    check_weights(node, x, y);
  }

  void check_op(const Node& node, const QAdd& op, const Value& a, const Value& y) const {
    check_clamp(node, op.clamp_min, op.clamp_max);
    const QParams b = node.inputs.size() == 2 ? g_.value(node.inputs[1]).qparams : QParams{0, 0};
    const AddParams expected = make_add_params(a.qparams, b, y.qparams);
    check(node, op.params == expected,
          "has parameters that differ from eq. (11) of its scales; convert the model again");
  }

  void check_op(const Node& node, const MaxPool2d&, const Value& x, const Value& y) const {
    check_same_qparams(node, x, y);
  }

  void check_op(const Node& node, const AvgPool2d& op, const Value& x, const Value& y) const {
    check(node, op.kernel_h * op.kernel_w <= kMaxAccumulator / 255, "has a window of ", op.kernel_h,
          " x ", op.kernel_w, ", whose sum could overflow int32");
    const double ratio = average_ratio(x.qparams.scale, y.qparams.scale, op.kernel_h * op.kernel_w);
    check_requant(node, ratio, op.requant, "its window");
  }

  void check_op(const Node& node, const Concat&, const Value&, const Value& y) const {
    for (const ValueId id : node.inputs) check_same_qparams(node, g_.value(id), y);
  }

  void check_op(const Node& node, const Flatten&, const Value& x, const Value& y) const {
    check_same_qparams(node, x, y);
  }

  static void check_clamp(const Node& node, std::int32_t clamp_min, std::int32_t clamp_max) {
    check(node, 0 <= clamp_min && clamp_min <= clamp_max && clamp_max <= 255, "clamps to [",
          clamp_min, ", ", clamp_max, "]; expected 0 <= clamp_min <= clamp_max <= 255");
  }

  static void check_same_qparams(const Node& node, const Value& x, const Value& y) {
    check(node, x.qparams == y.qparams, "copies codes, but value \"", x.name, "\" has scale ",
          x.qparams.scale, " zero_point ", x.qparams.zero_point, " and value \"", y.name,
          "\" scale ", y.qparams.scale, " zero_point ", y.qparams.zero_point,
          "; requantize the operand with a QAdd of one input");
  }

  template <class Where>
  static void check_requant(const Node& node, double ratio, Requant got, const Where& where) {
    check(node, ratio > 0.0 && ratio < 0x1p29, "requantizes ", where, " by ", ratio,
          "; the ratio of scales must lie in (0, 2^29)");
    const Requant expected = make_requant(ratio);
    check(node, got == expected, "has multiplier ", got.multiplier, " and shift ", got.shift,
          " for ", where, ", but its scales give ", expected.multiplier, " and ", expected.shift,
          "; convert the model again");
  }

  const Constant& use_constant(const Node& node, const char* role, DType dtype, int rank) {
    const Constant& c = g_.constant(node, role);
    used_constants_.insert(node.name + "." + role);
    check(node, c.dtype == dtype && c.shape.rank() == rank, "expects its ", role, " as ",
          name_of(dtype), " of rank ", rank, ", got ", name_of(c.dtype), " ", c.shape);
    for (const std::int64_t extent : c.shape.dims()) {
      check(node, extent >= 1, "has a ", role, " of shape ", c.shape, "; extents must be positive");
    }
    check(node,
          c.bytes.size() / size_of(dtype) == static_cast<std::size_t>(c.shape.numel()) &&
              c.bytes.size() % size_of(dtype) == 0,
          "has a ", role, " of shape ", c.shape, " in ", c.bytes.size(), " bytes");
    return c;
  }

  const Constant& use_vector(const Node& node, const char* role, DType dtype, std::int64_t size) {
    const Constant& c = use_constant(node, role, dtype, 1);
    check(node, c.shape[0] == size, "expects ", size, " elements in its ", role, ", got ",
          c.shape[0]);
    return c;
  }

  // The five constants of a convolution or linear layer, channel by channel.
  void check_weights(const Node& node, const Value& x, const Value& y) {
    const Constant& weight = g_.constant(node, "weight");
    const std::int64_t channels = weight.shape[0];
    const auto bias = use_vector(node, "bias", DType::kI32, channels).as<std::int32_t>();
    const auto scale = use_vector(node, "weight_scale", DType::kF32, channels).as<float>();
    const auto multiplier =
        use_vector(node, "multiplier", DType::kI32, channels).as<std::int32_t>();
    const auto shift = use_vector(node, "shift", DType::kI8, channels).as<std::int8_t>();
    const auto all = weight.as<std::int8_t>();
    const std::size_t taps = all.size() / static_cast<std::size_t>(channels);
    for (std::size_t c = 0; c < bias.size(); ++c) {
      const std::string where = "channel " + std::to_string(c);
      check(node, usable(scale[c]), "has weight_scale ", scale[c], " for ", where,
            "; a scale and its inverse must be positive, finite and normal");
      check_requant(node, requant_ratio(x.qparams.scale, scale[c], y.qparams.scale),
                    {multiplier[c], shift[c]}, where);
      check_accumulator(node, all.subspan(c * taps, taps), bias[c], x.qparams.zero_point, where);
    }
  }

  // max(sum P, sum N) * 255 + |bias'| <= 2^31 - 1, with P and N the magnitudes of positive and
  // negative weights: no partial sum, in any order, leaves int32.
  static void check_accumulator(const Node& node, std::span<const std::int8_t> weights,
                                std::int64_t bias, std::int64_t zero_point,
                                const std::string& where) {
    const auto [sum, magnitude] = weight_sums(weights);
    const std::int64_t positive = (magnitude + sum) / 2, negative = (magnitude - sum) / 2;
    const std::int64_t folded = bias - zero_point * (positive - negative);
    const std::int64_t largest = std::max(positive, negative) * 255 + std::abs(folded);
    check(node, largest <= kMaxAccumulator, "could overflow its int32 accumulator in ", where,
          ": magnitudes up to ", largest, "; raise the weight_scale of this channel");
  }

  void check_ends() const {
    const Value& logits = g_.value(g_.output);
    OCTET_CHECK(g_.output != g_.input, "the graph's output is its input");
    OCTET_CHECK(logits.shape.rank() == 1, "the graph's output \"", logits.name, "\" has shape ",
                logits.shape, "; expected [classes]");
    OCTET_CHECK(g_.class_names.empty() ||
                    static_cast<std::int64_t>(g_.class_names.size()) == logits.shape[0],
                "the graph has ", g_.class_names.size(), " class names for ", logits.shape[0],
                " logits");
    const Value& input = g_.value(g_.input);
    OCTET_CHECK(input.dtype != DType::kI32, "the graph's input \"", input.name,
                "\" is I32; expected U8 pixels, or F32 for Quantize");
  }

  const Graph& g_;
  std::set<std::string> used_constants_;
};

}  // namespace

void Graph::validate() const {
  const FloatEnvironment environment;
  Validator(*this).run();
}

}  // namespace octet::ir
