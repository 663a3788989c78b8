#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "ir/op_names.h"
#include "nn/leaf.h"
#include "nn/trace.h"

// The definition of float inference: each leaf's float form in plain loops, one image at a time.
namespace octet::testing {

inline float reference_act(float x, Act act) {
  if (act != Act::kNone && x < 0.0f) x = 0.0f;
  return act == Act::kRelu6 && x > 6.0f ? 6.0f : x;
}

// [H, W, C], or [C] with h = w = 1.
struct ReferenceMap {
  std::int64_t h = 1, w = 1, c = 1;
  std::vector<float> x;

  ReferenceMap() = default;
  // The shape of a traced result, which has a batch.
  explicit ReferenceMap(const Shape& s) : c(s[s.rank() - 1]) {
    if (s.rank() == 4) {
      h = s[1];
      w = s[2];
    }
    x.resize(static_cast<std::size_t>(h * w * c));
  }
  float& at(std::int64_t y, std::int64_t x_, std::int64_t channel) {
    return x[static_cast<std::size_t>((y * w + x_) * c + channel)];
  }
  bool inside(std::int64_t y, std::int64_t x_) const {
    return y >= 0 && y < h && x_ >= 0 && x_ < w;
  }
};

inline void reference_conv(const FloatConv2d& f, ReferenceMap& x, ReferenceMap* shortcut,
                           ReferenceMap& y) {
  const std::int64_t in = f.in / f.groups, out = f.out / f.groups;
  for (std::int64_t row = 0; row < y.h; ++row) {
    for (std::int64_t column = 0; column < y.w; ++column) {
      for (std::int64_t o = 0; o < f.out; ++o) {
        float acc = f.bias[static_cast<std::size_t>(o)];
        for (std::int64_t i = 0; i < f.kernel; ++i) {
          for (std::int64_t j = 0; j < f.kernel; ++j) {
            const std::int64_t from_y = row * f.stride - f.padding + i;
            const std::int64_t from_x = column * f.stride - f.padding + j;
            if (!x.inside(from_y, from_x)) continue;
            for (std::int64_t k = 0; k < in; ++k) {
              const std::int64_t weight = ((o * f.kernel + i) * f.kernel + j) * in + k;
              acc = std::fma(x.at(from_y, from_x, o / out * in + k),
                             f.weight[static_cast<std::size_t>(weight)], acc);
            }
          }
        }
        if (shortcut != nullptr) acc += shortcut->at(row, column, o);
        y.at(row, column, o) = reference_act(acc, f.act);
      }
    }
  }
}

template <class Fold>
void reference_pool(std::int64_t kernel, std::int64_t stride, std::int64_t padding, ReferenceMap& x,
                    ReferenceMap& y, const Fold& fold) {
  const std::int64_t kh = kernel == 0 ? x.h : kernel, kw = kernel == 0 ? x.w : kernel;
  for (std::int64_t row = 0; row < y.h; ++row) {
    for (std::int64_t column = 0; column < y.w; ++column) {
      for (std::int64_t c = 0; c < y.c; ++c) {
        std::vector<float> window;
        for (std::int64_t i = row * stride - padding; i < row * stride - padding + kh; ++i) {
          for (std::int64_t j = column * stride - padding; j < column * stride - padding + kw;
               ++j) {
            if (x.inside(i, j)) window.push_back(x.at(i, j, c));
          }
        }
        y.at(row, column, c) = fold(window, static_cast<float>(kh * kw));
      }
    }
  }
}

// The result of one leaf.
//   in: what it reads      y: of its shape
inline void reference_leaf(const FloatForm& form, const std::vector<ReferenceMap*>& in,
                           ReferenceMap& y) {
  std::visit(
      ir::Overloaded{
          [&](const FloatConv2d& f) { reference_conv(f, *in[0], f.shortcut ? in[1] : nullptr, y); },
          [&](const FloatAdd& f) {
            for (std::size_t i = 0; i < y.x.size(); ++i) {
              y.x[i] = reference_act(in[0]->x[i] + in[1]->x[i], f.act);
            }
          },
          [&](const FloatMaxPool2d& f) {
            reference_pool(f.kernel, f.stride, f.padding, *in[0], y,
                           [](const std::vector<float>& window, float) {
                             return *std::max_element(window.begin(), window.end());
                           });
          },
          [&](const FloatAvgPool2d& f) {
            reference_pool(f.kernel, f.stride, f.padding, *in[0], y,
                           [](const std::vector<float>& window, float area) {
                             float sum = 0.0f;
                             for (const float v : window) sum += v;
                             return sum / area;
                           });
          },
          [&](const FloatConcat&) {
            std::int64_t first = 0;
            for (ReferenceMap* part : in) {
              for (std::int64_t p = 0; p < y.h * y.w; ++p) {
                for (std::int64_t c = 0; c < part->c; ++c) {
                  y.at(p / y.w, p % y.w, first + c) = part->at(p / y.w, p % y.w, c);
                }
              }
              first += part->c;
            }
          },
          [&](const FloatIdentity&) { y.x = in[0]->x; },
      },
      form);
}

// The result for one image. traced: of the model, which has not changed since.
inline std::vector<float> reference_inference(const Trace& traced, const Shape& image_shape,
                                              const float* image) {
  std::vector<ReferenceMap> values(1);
  values[0].h = image_shape[0];
  values[0].w = image_shape[1];
  values[0].c = image_shape[2];
  values[0].x.assign(image, image + image_shape.numel());
  for (const TraceRecord& record : traced.records) {
    ReferenceMap y(record.result.shape());
    std::vector<ReferenceMap*> in;
    for (const int i : record.inputs) in.push_back(&values[static_cast<std::size_t>(i)]);
    reference_leaf(record.leaf->float_form(), in, y);
    values.push_back(y);
  }
  return values[static_cast<std::size_t>(traced.output)].x;
}

}  // namespace octet::testing
