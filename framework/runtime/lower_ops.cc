#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "ir/infer_shape.h"
#include "ir/op_names.h"
#include "runtime/gemm_steps.h"
#include "runtime/step.h"

namespace octet {
namespace {

// A step whose items are images: work(memory, image) computes one.
template <class Work>
class ImagesStep final : public Step {
 public:
  explicit ImagesStep(Work work) : work_(std::move(work)) {}

  std::int64_t items(std::int64_t batch) const noexcept override { return batch; }

  void run(const Memory& memory, std::int64_t begin, std::int64_t end,
           std::byte*) const noexcept override {
    for (std::int64_t image = begin; image < end; ++image) work_(memory, image);
  }

 private:
  const Work work_;
};

template <class Work>
std::unique_ptr<Step> per_image(Work work) {
  return std::make_unique<ImagesStep<Work>>(std::move(work));
}

// What the windows of a pool have in common.
struct Pool {
  std::int64_t h, w, c, out_h, out_w;
  std::int64_t kernel_h, kernel_w, stride, padding;

  Pool(const Shape& x, std::int64_t kh, std::int64_t kw, std::int64_t s, std::int64_t p)
      : h(x[0]),
        w(x[1]),
        c(x[2]),
        out_h(ir::window_extent(h, kh, s, p)),
        out_w(ir::window_extent(w, kw, s, p)),
        kernel_h(kh),
        kernel_w(kw),
        stride(s),
        padding(p) {}

  // visit(code) for the pixels of a window that lie inside the image.
  template <class Visit>
  void window(const std::uint8_t* image, std::int64_t oy, std::int64_t ox, std::int64_t channel,
              Visit visit) const {
    const std::int64_t top = oy * stride - padding, left = ox * stride - padding;
    for (std::int64_t y = std::max<std::int64_t>(top, 0); y < std::min(top + kernel_h, h); ++y) {
      for (std::int64_t x = std::max<std::int64_t>(left, 0); x < std::min(left + kernel_w, w);
           ++x) {
        visit(image[(y * w + x) * c + channel]);
      }
    }
  }

  // result(oy, ox, channel) for every element of the output.
  template <class Result>
  void for_each(std::uint8_t* out, Result result) const {
    for (std::int64_t oy = 0; oy < out_h; ++oy) {
      for (std::int64_t ox = 0; ox < out_w; ++ox) {
        for (std::int64_t channel = 0; channel < c; ++channel) *out++ = result(oy, ox, channel);
      }
    }
  }
};

std::uint8_t to_code(std::int32_t code) { return static_cast<std::uint8_t>(code); }

}  // namespace

std::unique_ptr<Step> lower(const PackedModel& model, std::size_t node_index) {
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
              const std::uint8_t* from = memory.codes(in) + image * x_size;
              std::uint8_t* to = memory.codes_to_write(out) + image * y_size;
              for (std::int64_t i = 0; i < y_size; ++i) {
                to[i] = table[from[i] * channels + i % channels];
              }
            });
          },
          [&](const ir::Quantize&) {
            const float inv_scale = 1.0f / y.qparams.scale;
            const std::int32_t zero_point = y.qparams.zero_point;
            return per_image([=](const Memory& memory, std::int64_t image) {
              const float* from = reinterpret_cast<const float*>(memory.read(in)) + image * x_size;
              std::uint8_t* to = memory.codes_to_write(out) + image * y_size;
              for (std::int64_t i = 0; i < y_size; ++i) {
                to[i] = to_code(quantize_one(from[i], inv_scale, zero_point, kActivationRange));
              }
            });
          },
          [&](const ir::QConv2d&) { return make_conv_step(model, node_index); },
          [&](const ir::QLinear&) { return make_linear_step(model, node_index); },
          [&](const ir::QAdd& op) {
            const ir::ValueId second = node.inputs.back();  // multiplier_b is 0 for one operand
            const std::int32_t zero_point = y.qparams.zero_point;
            return per_image([=](const Memory& memory, std::int64_t image) {
              const std::uint8_t* a = memory.codes(in) + image * x_size;
              const std::uint8_t* b = memory.codes(second) + image * x_size;
              std::uint8_t* to = memory.codes_to_write(out) + image * y_size;
              for (std::int64_t i = 0; i < y_size; ++i) {
                to[i] =
                    to_code(add_one(a[i], b[i], op.params, zero_point, op.clamp_min, op.clamp_max));
              }
            });
          },
          [&](const ir::MaxPool2d& op) {
            const Pool pool(x.shape, op.kernel, op.kernel, op.stride, op.padding);
            return per_image([=](const Memory& memory, std::int64_t image) {
              const std::uint8_t* from = memory.codes(in) + image * x_size;
              pool.for_each(memory.codes_to_write(out) + image * y_size,
                            [&](std::int64_t oy, std::int64_t ox, std::int64_t channel) {
                              std::uint8_t largest = 0;
                              pool.window(from, oy, ox, channel, [&](std::uint8_t code) {
                                largest = std::max(largest, code);
                              });
                              return largest;
                            });
            });
          },
          [&](const ir::AvgPool2d& op) {
            const Pool pool(x.shape, op.kernel_h, op.kernel_w, op.stride, op.padding);
            const std::int32_t x_zero = x.qparams.zero_point, y_zero = y.qparams.zero_point;
            return per_image([=](const Memory& memory, std::int64_t image) {
              const std::uint8_t* from = memory.codes(in) + image * x_size;
              pool.for_each(memory.codes_to_write(out) + image * y_size,
                            [&](std::int64_t oy, std::int64_t ox, std::int64_t channel) {
                              std::int32_t sum =
                                  0;  // of code - Z_x: pixels outside count as real 0
                              pool.window(from, oy, ox, channel,
                                          [&](std::uint8_t code) { sum += code - x_zero; });
                              return to_code(requantize_one(sum, op.requant, y_zero, 0, 255));
                            });
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
