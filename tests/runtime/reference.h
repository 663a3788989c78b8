#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "ir/graph.h"
#include "ir/op_names.h"
#include "kernels/qspec.h"

namespace octet::testing {

// The plain interpreter that the executor is tested against: one image at a time, loops straight
// from the definitions (docs/quantization.md), int64 accumulators, zero points subtracted where
// they occur rather than folded. Slow and meant to be obviously right.
class Reference {
 public:
  explicit Reference(const ir::Graph& graph) : g_(graph), codes_(graph.values.size()) {}

  // One image; afterwards codes(id) and logits() are its results.
  void run(const std::vector<std::uint8_t>& image) {
    codes_[index(g_.input)] = image;
    run_nodes();
  }
  void run(const std::vector<float>& image) {
    float_input_ = image;
    run_nodes();
  }

  const std::vector<std::uint8_t>& codes(ir::ValueId id) const { return codes_[index(id)]; }
  const std::vector<std::int32_t>& logits() const { return logits_; }

 private:
  // One value as [H, W, C] (features: H = W = 1).
  struct Map {
    std::int64_t h = 1, w = 1, c = 1;
    explicit Map(const Shape& s) : c(s[s.rank() - 1]) {
      if (s.rank() == 3) {
        h = s[0];
        w = s[1];
      }
    }
    std::size_t at(std::int64_t y, std::int64_t x, std::int64_t k) const {
      return static_cast<std::size_t>((y * w + x) * c + k);
    }
    bool inside(std::int64_t y, std::int64_t x) const { return y >= 0 && y < h && x >= 0 && x < w; }
  };

  static std::size_t index(ir::ValueId id) { return static_cast<std::size_t>(id); }

  void run_nodes() {
    for (const ir::Node& node : g_.nodes) {
      codes_[index(node.output)].assign(
          static_cast<std::size_t>(g_.value(node.output).shape.numel()), 0);
      std::visit([&](const auto& op) { compute(node, op); }, node.op);
    }
  }

  const ir::Value& x_of(const ir::Node& node) const { return g_.value(node.inputs[0]); }
  const ir::Value& y_of(const ir::Node& node) const { return g_.value(node.output); }
  const std::vector<std::uint8_t>& in(const ir::Node& node, std::size_t i = 0) const {
    return codes_[index(node.inputs[i])];
  }
  std::vector<std::uint8_t>& out(const ir::Node& node) { return codes_[index(node.output)]; }

  void compute(const ir::Node& node, const ir::InputTable&) {
    const auto table = g_.constant(node, "table").as<std::uint8_t>();
    const Map m(x_of(node).shape);
    for (std::size_t i = 0; i < out(node).size(); ++i) {
      const std::size_t channel = i % static_cast<std::size_t>(m.c);
      out(node)[i] = table[in(node)[i] * static_cast<std::size_t>(m.c) + channel];
    }
  }

  void compute(const ir::Node& node, const ir::Quantize&) {
    const QParams q = y_of(node).qparams;
    for (std::size_t i = 0; i < out(node).size(); ++i) {
      out(node)[i] = static_cast<std::uint8_t>(
          quantize_one(float_input_[i], 1.0f / q.scale, q.zero_point, kActivationRange));
    }
  }

  void compute(const ir::Node& node, const ir::QConv2d& op) {
    const Shape& weight = g_.constant(node, "weight").shape;
    const auto w = g_.constant(node, "weight").as<std::int8_t>();
    const Map x(x_of(node).shape), y(y_of(node).shape);
    const std::int64_t in_per_group = x.c / op.groups, out_per_group = y.c / op.groups;
    for (std::int64_t oy = 0; oy < y.h; ++oy) {
      for (std::int64_t ox = 0; ox < y.w; ++ox) {
        for (std::int64_t o = 0; o < y.c; ++o) {
          const std::int64_t first = o / out_per_group * in_per_group;
          std::int64_t sum = 0;
          for (std::int64_t ky = 0; ky < weight[1]; ++ky) {
            for (std::int64_t kx = 0; kx < weight[2]; ++kx) {
              const std::int64_t iy = oy * op.stride - op.padding + ky;
              const std::int64_t ix = ox * op.stride - op.padding + kx;
              if (!x.inside(iy, ix)) continue;  // real 0
              for (std::int64_t i = 0; i < in_per_group; ++i) {
                const std::int64_t tap = ((o * weight[1] + ky) * weight[2] + kx) * weight[3] + i;
                sum += (in(node)[x.at(iy, ix, first + i)] - x_of(node).qparams.zero_point) *
                       std::int64_t{w[static_cast<std::size_t>(tap)]};
              }
            }
          }
          out(node)[y.at(oy, ox, o)] = requantized(node, o, sum, op.clamp_min, op.clamp_max);
        }
      }
    }
  }

  void compute(const ir::Node& node, const ir::QLinear& op) {
    const auto w = g_.constant(node, "weight").as<std::int8_t>();
    const std::size_t inputs = in(node).size(), outputs = out(node).size();
    const bool last = node.output == g_.output;
    if (last) logits_.assign(outputs, 0);
    for (std::size_t o = 0; o < outputs; ++o) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < inputs; ++i) {
        sum += (in(node)[i] - x_of(node).qparams.zero_point) * std::int64_t{w[o * inputs + i]};
      }
      const auto channel = static_cast<std::int64_t>(o);
      if (last) {
        logits_[o] = requantize_to_s32(accumulator(node, channel, sum), requant(node, channel));
      } else {
        out(node)[o] = requantized(node, channel, sum, op.clamp_min, op.clamp_max);
      }
    }
  }

  void compute(const ir::Node& node, const ir::QAdd& op) {
    const std::size_t second = node.inputs.size() - 1;
    for (std::size_t i = 0; i < out(node).size(); ++i) {
      const std::int32_t b = second == 0 ? 0 : in(node, second)[i];
      out(node)[i] = static_cast<std::uint8_t>(add_one(
          in(node)[i], b, op.params, y_of(node).qparams.zero_point, op.clamp_min, op.clamp_max));
    }
  }

  void compute(const ir::Node& node, const ir::MaxPool2d& op) {
    const Map x(x_of(node).shape), y(y_of(node).shape);
    for (std::int64_t oy = 0; oy < y.h; ++oy) {
      for (std::int64_t ox = 0; ox < y.w; ++ox) {
        for (std::int64_t c = 0; c < y.c; ++c) {
          int largest = 0;  // padding has code 0
          for (std::int64_t k = 0; k < op.kernel * op.kernel; ++k) {
            const std::int64_t iy = oy * op.stride - op.padding + k / op.kernel;
            const std::int64_t ix = ox * op.stride - op.padding + k % op.kernel;
            if (x.inside(iy, ix)) largest = std::max<int>(largest, in(node)[x.at(iy, ix, c)]);
          }
          out(node)[y.at(oy, ox, c)] = static_cast<std::uint8_t>(largest);
        }
      }
    }
  }

  void compute(const ir::Node& node, const ir::AvgPool2d& op) {
    const Map x(x_of(node).shape), y(y_of(node).shape);
    const std::int32_t zero_point = x_of(node).qparams.zero_point;
    for (std::int64_t oy = 0; oy < y.h; ++oy) {
      for (std::int64_t ox = 0; ox < y.w; ++ox) {
        for (std::int64_t c = 0; c < y.c; ++c) {
          std::int32_t sum = 0;
          for (std::int64_t k = 0; k < op.kernel_h * op.kernel_w; ++k) {
            const std::int64_t iy = oy * op.stride - op.padding + k / op.kernel_w;
            const std::int64_t ix = ox * op.stride - op.padding + k % op.kernel_w;
            sum += (x.inside(iy, ix) ? in(node)[x.at(iy, ix, c)] : zero_point) - zero_point;
          }
          out(node)[y.at(oy, ox, c)] = static_cast<std::uint8_t>(
              requantize_one(sum, op.requant, y_of(node).qparams.zero_point, 0, 255));
        }
      }
    }
  }

  void compute(const ir::Node& node, const ir::Concat&) {
    const Map y(y_of(node).shape);
    for (std::int64_t oy = 0; oy < y.h; ++oy) {
      for (std::int64_t ox = 0; ox < y.w; ++ox) {
        std::int64_t c = 0;
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
          const Map x(g_.value(node.inputs[i]).shape);
          for (std::int64_t k = 0; k < x.c; ++k) {
            out(node)[y.at(oy, ox, c++)] = in(node, i)[x.at(oy, ox, k)];
          }
        }
      }
    }
  }

  void compute(const ir::Node& node, const ir::Flatten&) { out(node) = in(node); }

  Requant requant(const ir::Node& node, std::int64_t channel) const {
    const auto c = static_cast<std::size_t>(channel);
    return {g_.constant(node, "multiplier").as<std::int32_t>()[c],
            g_.constant(node, "shift").as<std::int8_t>()[c]};
  }

  std::int32_t accumulator(const ir::Node& node, std::int64_t channel, std::int64_t sum) const {
    sum += g_.constant(node, "bias").as<std::int32_t>()[static_cast<std::size_t>(channel)];
    OCTET_CHECK(sum == static_cast<std::int32_t>(sum), "accumulator ", sum, " overflows");
    return static_cast<std::int32_t>(sum);
  }

  std::uint8_t requantized(const ir::Node& node, std::int64_t channel, std::int64_t sum,
                           std::int32_t clamp_min, std::int32_t clamp_max) const {
    return static_cast<std::uint8_t>(
        requantize_one(accumulator(node, channel, sum), requant(node, channel),
                       y_of(node).qparams.zero_point, clamp_min, clamp_max));
  }

  const ir::Graph& g_;
  std::vector<std::vector<std::uint8_t>> codes_;
  std::vector<float> float_input_;
  std::vector<std::int32_t> logits_;
};

}  // namespace octet::testing
