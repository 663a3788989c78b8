#include <algorithm>
#include <utility>
#include <vector>

#include "inference/float_model.h"
#include "ir/op_names.h"
#include "kernels/f32/pool.h"
#include "runtime/images_step.h"

namespace octet {
namespace {

// kernel 0: as large as the map
kernels::PoolShape pool_shape(const Shape& x, const Shape& y, std::int64_t kernel,
                              std::int64_t stride, std::int64_t padding) {
  return {.h = x[0],
          .w = x[1],
          .c = x[2],
          .oh = y[0],
          .ow = y[1],
          .kh = kernel == 0 ? x[0] : kernel,
          .kw = kernel == 0 ? x[1] : kernel,
          .stride = stride,
          .padding = padding};
}

// The ReLU of ops/activation.h, and its clamp: a NaN stays one.
float activated(float x, Act act) {
  if (act == Act::kNone) return x;
  const float y = 0.0f > x ? 0.0f : x;
  return act == Act::kRelu6 && 6.0f < y ? 6.0f : y;
}

void add_floats(const float* a, const float* b, std::int64_t count, Act act, float* __restrict y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
  if (act == Act::kNone) return;
  for (std::int64_t i = 0; i < count; ++i) y[i] = activated(y[i], act);
}

}  // namespace

std::unique_ptr<Step> lower(const FloatModel& model, const FloatNode& node) {
  const ir::ValueId in = node.inputs[0], out = node.output;
  const Shape &x = model.shape(in), &y = model.shape(out);
  const std::int64_t x_size = x.numel(), y_size = y.numel();
  const kernels::F32Kernels* isa = model.kernels;
  return std::visit(
      ir::Overloaded{
          [&](const FloatConv2d&) { return make_conv_step(model, node); },
          [&](const FloatAdd& add) {
            const ir::ValueId second = node.inputs[1];
            return per_image([=, act = add.act](const Memory& memory, std::int64_t image) {
              add_floats(read_floats(memory, in) + image * y_size,
                         read_floats(memory, second) + image * y_size, y_size, act,
                         write_floats(memory, out) + image * y_size);
            });
          },
          [&](const FloatMaxPool2d& pool) {
            const auto s = pool_shape(x, y, pool.kernel, pool.stride, pool.padding);
            return per_image([=](const Memory& memory, std::int64_t image) {
              const float* from = read_floats(memory, in) + image * x_size;
              float* to = write_floats(memory, out) + image * y_size;
              for (std::int64_t row = 0; row < s.oh; ++row) {
                kernels::max_pool_row(*isa, s, row, from, to + row * s.ow * s.c, nullptr);
              }
            });
          },
          [&](const FloatAvgPool2d& pool) {
            const auto s = pool_shape(x, y, pool.kernel, pool.stride, pool.padding);
            return per_image([=](const Memory& memory, std::int64_t image) {
              const float* from = read_floats(memory, in) + image * x_size;
              float* to = write_floats(memory, out) + image * y_size;
              for (std::int64_t row = 0; row < s.oh; ++row) {
                kernels::avg_pool_row(s, row, from, to + row * s.ow * s.c);
              }
            });
          },
          [&](const FloatConcat&) {
            // Pixel by pixel: the inputs' channels one after the other.
            std::vector<std::pair<ir::ValueId, std::int64_t>> parts;
            for (const ir::ValueId id : node.inputs) {
              parts.emplace_back(id, model.shape(id)[model.shape(id).rank() - 1]);
            }
            const std::int64_t channels = y[y.rank() - 1], pixels = y_size / channels;
            return per_image([=](const Memory& memory, std::int64_t image) {
              float* to = write_floats(memory, out) + image * y_size;
              for (const auto& [id, count] : parts) {
                const float* from = read_floats(memory, id) + image * pixels * count;
                for (std::int64_t p = 0; p < pixels; ++p) {
                  std::copy_n(from + p * count, count, to + p * channels);
                }
                to += count;
              }
            });
          },
          [&](const FloatIdentity&) { return std::unique_ptr<Step>(); },
      },
      node.form);
}

}  // namespace octet
