#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/float_environment.h"
#include "ir/op_names.h"
#include "kernels/u8s8/add.h"
#include "kernels/u8s8/input.h"
#include "kernels/u8s8/pool.h"
#include "runtime/images_step.h"
#include "runtime/packed_model.h"
#include "runtime/product_step.h"
#include "runtime/step.h"

namespace octet {
namespace {

kernels::PoolArgs pool_args(const ir::Value& x, std::int64_t kernel_h, std::int64_t kernel_w,
                            std::int64_t stride, std::int64_t padding) {
  return {.h = x.shape[0],
          .w = x.shape[1],
          .c = x.shape[2],
          .kernel_h = kernel_h,
          .kernel_w = kernel_w,
          .stride = stride,
          .padding = padding};
}

}  // namespace

std::unique_ptr<Step> lower(const PackedModel& model, std::size_t node_index,
                            const Fusion& fusion) {
  if (fusion.reader_of[node_index] >= 0) return nullptr;
  if (const NodeIndex product = fusion.product_of[node_index]; product >= 0) {
    return make_product_step(model, static_cast<std::size_t>(product),
                             static_cast<NodeIndex>(node_index));
  }
  const ir::Graph& graph = model.graph;
  const ir::Node& node = graph.nodes[node_index];
  const ir::ValueId in = node.inputs[0], out = node.output;
  const ir::Value &x = graph.value(in), &y = graph.value(out);
  const std::int64_t x_size = x.shape.numel(), y_size = y.shape.numel();

  return std::visit(
      ir::Overloaded{
          [&](const ir::InputTable&) {
            const std::uint8_t* table = graph.constant(node, "table").as<std::uint8_t>().data();
            const std::int64_t channels = x.shape[x.shape.rank() - 1];
            return per_image([=](const Memory& memory, std::int64_t image) {
              kernels::apply_table_u8(memory.codes(in) + image * x_size, x_size / channels,
                                      channels, table, memory.codes_to_write(out) + image * y_size);
            });
          },
          [&](const ir::Quantize&) {
            const QParams q = y.qparams;
            return per_image([=](const Memory& memory, std::int64_t image) {
              const FloatEnvironment environment;
              const float* from = reinterpret_cast<const float*>(memory.read(in)) + image * x_size;
              kernels::quantize_u8(from, x_size, q.scale, q.zero_point,
                                   memory.codes_to_write(out) + image * y_size);
            });
          },
          [&](const ir::QConv2d&) { return make_product_step(model, node_index, -1); },
          [&](const ir::QLinear&) { return make_product_step(model, node_index, -1); },
          [&](const ir::QAdd& op) {
            kernels::AddArgs args;
            args.count = y_size;
            args.params = op.params;
            args.zero_point = y.qparams.zero_point;
            args.clamp_min = op.clamp_min;
            args.clamp_max = op.clamp_max;
            const bool has_b = node.inputs.size() == 2;
            const ir::ValueId second = node.inputs.back();
            return per_image([=](const Memory& memory, std::int64_t image) {
              kernels::AddArgs one = args;
              one.a = memory.codes(in) + image * x_size;
              one.b = has_b ? memory.codes(second) + image * x_size : nullptr;
              one.y = memory.codes_to_write(out) + image * y_size;
              kernels::add_u8(one);
            });
          },
          [&](const ir::MaxPool2d& op) {
            const kernels::PoolArgs args =
                pool_args(x, op.kernel, op.kernel, op.stride, op.padding);
            return per_image([=](const Memory& memory, std::int64_t image) {
              kernels::PoolArgs one = args;
              one.x = memory.codes(in) + image * x_size;
              one.y = memory.codes_to_write(out) + image * y_size;
              kernels::max_pool2d_u8(one);
            });
          },
          [&](const ir::AvgPool2d& op) {
            const kernels::PoolArgs args =
                pool_args(x, op.kernel_h, op.kernel_w, op.stride, op.padding);
            const std::int32_t x_zero = x.qparams.zero_point, y_zero = y.qparams.zero_point;
            return per_image([=](const Memory& memory, std::int64_t image) {
              kernels::PoolArgs one = args;
              one.x = memory.codes(in) + image * x_size;
              one.y = memory.codes_to_write(out) + image * y_size;
              kernels::avg_pool2d_u8(one, x_zero, op.requant, y_zero);
            });
          },
          [&](const ir::Concat&) {
            // Pixel by pixel: the inputs' channels one after the other.
            std::vector<std::pair<ir::ValueId, std::int64_t>> parts;
            for (const ir::ValueId id : node.inputs) {
              const Shape& shape = graph.value(id).shape;
              parts.emplace_back(id, shape[shape.rank() - 1]);
            }
            const std::int64_t channels = y.shape[y.shape.rank() - 1];
            return per_image([=](const Memory& memory, std::int64_t image) {
              const std::int64_t pixels = y_size / channels;
              std::uint8_t* to = memory.codes_to_write(out) + image * y_size;
              for (const auto& [id, count] : parts) {
                const std::uint8_t* from = memory.codes(id) + image * pixels * count;
                for (std::int64_t p = 0; p < pixels; ++p) {
                  std::memcpy(to + p * channels, from + p * count, static_cast<std::size_t>(count));
                }
                to += count;
              }
            });
          },
          [&](const ir::Flatten&) { return std::unique_ptr<Step>(); },
      },
      node.op);
}

}  // namespace octet
