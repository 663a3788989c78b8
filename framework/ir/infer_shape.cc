#include "ir/infer_shape.h"

#include <algorithm>

#include "base/error.h"
#include "ir/op_names.h"

namespace octet::ir {
namespace {

// No extent, kernel, stride or padding beyond this, so that sums and products of a few stay far
// within int64.
constexpr std::int64_t kMaxExtent = 1 << 20;
// Of a convolution. The engine lists the taps that meet the image anew for each distance from its
// border, so a wide padding would take much memory and time.
constexpr std::int64_t kMaxKernel = 255, kMaxPadding = 32;

struct Inference {
  const Node& node;
  const std::vector<Shape>& inputs;
  const Shape& weight;

  template <class... Parts>
  void check(bool ok, const Parts&... parts) const {
    OCTET_CHECK(ok, "[", node.name, "] ", op_name(node.op), " ", parts...);
  }

  const Shape& only_input(int rank) const {
    check(inputs.size() == 1, "has one input, got ", inputs.size());
    check(inputs[0].rank() == rank, "expects ", rank == 3 ? "an image [H, W, C]" : "features [C]",
          ", got shape ", inputs[0]);
    return inputs[0];
  }

  std::int64_t extent(std::int64_t in, std::int64_t kernel, std::int64_t stride,
                      std::int64_t padding) const {
    check(kernel >= 1 && kernel <= kMaxExtent && stride >= 1 && stride <= kMaxExtent &&
              padding >= 0 && padding <= kMaxExtent,
          "has kernel ", kernel, ", stride ", stride, ", padding ", padding,
          "; kernel and stride must be at least 1, padding at least 0, all at most ", kMaxExtent);
    check(in + 2 * padding >= kernel, "has a kernel of ", kernel, " on ", in,
          " pixels with padding ", padding);
    return window_extent(in, kernel, stride, padding);
  }

  Shape pool(std::int64_t kernel_h, std::int64_t kernel_w, std::int64_t stride,
             std::int64_t padding) const {
    const Shape& x = only_input(3);
    const std::int64_t h = extent(x[0], kernel_h, stride, padding);
    const std::int64_t w = extent(x[1], kernel_w, stride, padding);
    check(padding < kernel_h && padding < kernel_w, "has padding ", padding,
          ", which must be less than the kernel ", kernel_h, " x ", kernel_w);
    return {h, w, x[2]};
  }

  Shape operator()(const InputTable&) const { return same(); }
  Shape operator()(const Quantize&) const { return same(); }

  Shape operator()(const QConv2d& op) const {
    const Shape& x = only_input(3);
    check(weight.rank() == 4, "expects a weight [O, KH, KW, I / groups], got shape ", weight);
    check(
        op.groups >= 1 && op.groups <= x[2] && x[2] % op.groups == 0 && weight[0] % op.groups == 0,
        "has ", op.groups, " groups, which must divide ", x[2], " input and ", weight[0],
        " output channels");
    check(weight[3] == x[2] / op.groups, "expects a weight of ", x[2] / op.groups,
          " channels per group, got shape ", weight);
    const Shape y{extent(x[0], weight[1], op.stride, op.padding),
                  extent(x[1], weight[2], op.stride, op.padding), weight[0]};
    check(weight[1] <= kMaxKernel && weight[2] <= kMaxKernel && op.padding <= kMaxPadding,
          "has a kernel of ", weight[1], " x ", weight[2], " with padding ", op.padding,
          "; kernels up to ", kMaxKernel, " and padding up to ", kMaxPadding, " are supported");
    return y;
  }

  Shape operator()(const QLinear&) const {
    const Shape& x = only_input(1);
    check(weight.rank() == 2 && weight[1] == x[0], "expects a weight [O, ", x[0], "], got shape ",
          weight);
    return {weight[0]};
  }

  Shape operator()(const QAdd&) const {
    check(inputs.size() == 1 || inputs.size() == 2, "has one or two inputs, got ", inputs.size());
    check(inputs.front() == inputs.back(), "expects operands of one shape, got ", inputs.front(),
          " and ", inputs.back());
    return inputs[0];
  }

  Shape operator()(const MaxPool2d& op) const {
    return pool(op.kernel, op.kernel, op.stride, op.padding);
  }
  Shape operator()(const AvgPool2d& op) const {
    return pool(op.kernel_h, op.kernel_w, op.stride, op.padding);
  }

  Shape operator()(const Concat&) const {
    check(!inputs.empty(), "has no inputs");
    std::vector<std::int64_t> dims = inputs[0].dims();
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      const std::vector<std::int64_t>& other = inputs[i].dims();
      check(other.size() == dims.size() && std::equal(other.begin(), other.end() - 1, dims.begin()),
            "joins along channels, so the other extents must be equal, got ", inputs[0], " and ",
            inputs[i]);
      dims.back() += other.back();
    }
    return Shape(dims);
  }

  Shape operator()(const Flatten&) const {
    check(inputs.size() == 1, "has one input, got ", inputs.size());
    return {inputs[0].numel()};
  }

  const Shape& same() const {
    check(inputs.size() == 1, "has one input, got ", inputs.size());
    return inputs[0];
  }
};

}  // namespace

Shape infer_shape(const Node& node, const std::vector<Shape>& inputs, const Shape& weight) {
  return std::visit(Inference{node, inputs, weight}, node.op);
}

}  // namespace octet::ir
