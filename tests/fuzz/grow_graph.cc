#include "tests/fuzz/grow_graph.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tests/fuzz/run_graph.h"
#include "tests/ir/graph_builder.h"

namespace octet::fuzz {
namespace {

// Of a graph (work_of), and of one node: what runs in milliseconds, sanitized, so that many do.
constexpr double kMostWork = 4e3;
constexpr std::int64_t kMostProducts = 1 << 11;

class Grower {
 public:
  explicit Grower(Choices& choices)
      : c_(choices), b_(static_cast<std::uint32_t>(choices.in(1, 255))) {}

  ir::Graph grow() {
    const bool floats = c_.in(0, 7) == 0, table = c_.in(0, 1) == 1;
    const Shape shape{c_.in(1, 12), c_.in(1, 12), c_.in(1, 16)};
    ir::ValueId x = b_.input(shape, b_.random_qparams(), floats ? DType::kF32 : DType::kU8);
    if (floats) {
      x = b_.quantize("quantize", x);
    } else if (table) {
      x = b_.input_table("table", x);
    }
    values_ = {x};
    for (int i = 0; i < 7 && c_.left() && work_of(b_.graph) < kMostWork; ++i) {
      try {
        values_.push_back(add("node" + std::to_string(i)));
      } catch (const Error&) {  // shapes that do not fit: infer_shape has refused the node
        b_.graph.constants.erase("node" + std::to_string(i) + ".weight");
        for (const char* role : {"bias", "weight_scale", "multiplier", "shift"}) {
          b_.graph.constants.erase("node" + std::to_string(i) + "." + role);
        }
      }
    }
    const ir::ValueId last = values_.back();
    const bool is_flat = b_.graph.value(last).shape.rank() == 1;
    const std::int64_t features = b_.graph.value(last).shape.numel();
    b_.logits("logits", is_flat ? last : b_.flatten("flatten", last), few(c_.in(1, 20), features));
    return std::move(b_.graph);
  }

 private:
  ir::ValueId pick() { return values_[static_cast<std::size_t>(c_.in(0, 255)) % values_.size()]; }

  // At most `wanted` outputs of so many products each.
  static std::int64_t few(std::int64_t wanted, std::int64_t products) {
    return std::clamp<std::int64_t>(kMostProducts / products, 1, wanted);
  }

  std::int32_t clamp() { return static_cast<std::int32_t>(c_.in(0, 127)); }

  ir::ValueId add(const std::string& name) {
    const std::int64_t kind = c_.in(0, 9);
    const ir::ValueId x = c_.in(0, 3) == 0 ? pick() : values_.back();
    const Shape shape = b_.graph.value(x).shape;
    if (shape.rank() == 1)
      return b_.linear(name, x, few(c_.in(1, 40), shape[0]), {clamp(), 255 - clamp()});
    const std::int64_t channels = shape[2];
    switch (kind) {
      case 0:
      case 1:
      case 2: {
        const std::int64_t groups = c_.in(0, 3) == 0 ? channels : 1;
        const std::int64_t wanted = groups == 1 ? c_.in(1, 40) : channels * c_.in(1, 2);
        const std::int64_t height = c_.in(1, 7), width = c_.in(1, 7), stride = c_.in(1, 4);
        const std::int64_t padding = c_.in(0, 8);
        const std::int64_t pixels =
            ((shape[0] + 2 * padding) / stride + 1) * ((shape[1] + 2 * padding) / stride + 1);
        const std::int64_t products = pixels * height * width * channels / groups;
        const std::int64_t out = groups == 1 ? few(wanted, products) : wanted;
        return b_.conv(name, x, {out, height, width, channels / groups},
                       {.stride = stride,
                        .padding = padding,
                        .groups = groups,
                        .clamp_min = clamp(),
                        .clamp_max = 255 - clamp()});
      }
      case 3: {
        const std::int64_t groups = c_.in(1, 8);
        const Shape weight{groups * c_.in(1, 6), c_.in(1, 3), c_.in(1, 3), channels / groups};
        return b_.conv(name, x, weight, {.padding = c_.in(0, 2), .groups = groups});
      }
      case 4:
        return b_.max_pool(name, x,
                           {.kernel = c_.in(1, 5), .stride = c_.in(1, 3), .padding = c_.in(0, 4)});
      case 5:
        return b_.max_pool(name, x, {});
      case 6:
        return b_.avg_pool(name, x,
                           {.kernel_h = c_.in(1, 24),
                            .kernel_w = c_.in(1, 24),
                            .stride = c_.in(1, 3),
                            .padding = c_.in(0, 4)});
      case 7:
        return b_.add_op(name, {x, pick()}, clamp(), 255 - clamp());
      case 8: {
        const ir::ValueId y = pick();
        return b_.concat(name, {x, b_.rescale(name + ".r", y, b_.graph.value(x).qparams), x});
      }
      default:
        return b_.flatten(name, x);
    }
  }

  Choices& c_;
  testing::GraphBuilder b_;
  std::vector<ir::ValueId> values_;
};

// Values that no node makes are left over where a node was refused.
bool is_whole(const ir::Graph& graph) {
  try {
    graph.validate();
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::optional<ir::Graph> grow_graph(Choices& choices) {
  ir::Graph graph = Grower(choices).grow();
  if (!is_whole(graph)) return std::nullopt;
  return graph;
}

}  // namespace octet::fuzz
