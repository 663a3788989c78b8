#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "tests/qat/nets.h"

// Small networks drawn at random, with their quantization and their images: a function of one seed.
namespace octet::testing {

class Draw {
 public:
  Draw(std::uint64_t seed, std::uint32_t what) : rng_(seed, RngPurpose::kTest, 7, what) {}
  // Of [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + rng_.below(static_cast<std::uint32_t>(high - low + 1));
  }
  bool one_in(std::uint32_t n) { return rng_.below(n) == 0; }
  template <class T>
  T of(const std::vector<T>& all) {
    return all[rng_.below(static_cast<std::uint32_t>(all.size()))];
  }
  float uniform(float low, float high) { return rng_.uniform(low, high); }

 private:
  Rng rng_;
};

// Convolutions of all kinds, adds, concats, pools and dropout on maps, which may each be read more
// than once; then linear layers.
class RandomModel final : public Module {
 public:
  explicit RandomModel(std::uint64_t seed) : draw_(seed, 1) {
    image_ = Shape{draw_.between(3, 8), draw_.between(3, 8), draw_.between(1, 4)};
    maps_.push_back({0, image_[0], image_[1], image_[2]});
    for (std::int64_t ops = draw_.between(1, 6); ops > 0; --ops) add_on_map();
    add_tail();
  }

  const Shape& image() const { return image_; }

 private:
  struct Map {
    int value;  // 0 is the image
    std::int64_t h, w, c;
    bool like(const Map& o) const { return h == o.h && w == o.w && c == o.c; }
  };
  struct Step {
    Leaf* leaf;
    std::vector<int> inputs;
  };

  Tensor forward(const Tensor& x) override {
    std::vector<Tensor> values{x};
    for (const Step& step : steps_) {
      std::vector<Tensor> inputs;
      for (const int i : step.inputs) inputs.push_back(values[static_cast<std::size_t>(i)]);
      values.push_back(step.leaf->call(inputs));
    }
    return values.back();
  }

  template <class M>
  int step(typename M::Options options, std::vector<int> inputs) {
    Leaf& leaf = add<M>(message("leaf", steps_.size()), options);
    steps_.push_back({&leaf, std::move(inputs)});
    return static_cast<int>(steps_.size());
  }

  Act any_act() { return draw_.of<Act>({Act::kNone, Act::kRelu, Act::kRelu6}); }

  // The newest map, as a rule.
  Map any_map() { return draw_.one_in(4) ? draw_.of(maps_) : maps_.back(); }
  std::vector<Map> maps_that(const std::function<bool(const Map&)>& fit) const {
    std::vector<Map> fitting;
    std::copy_if(maps_.begin(), maps_.end(), std::back_inserter(fitting), fit);
    return fitting;
  }

  void add_on_map() {
    const Map x = any_map();
    switch (draw_.between(0, 9)) {
      case 0: {
        const auto others = maps_that([&](const Map& m) { return m.like(x); });
        const int y = step<AddAct>({.act = any_act()}, {x.value, draw_.of(others).value});
        return maps_.push_back({y, x.h, x.w, x.c});
      }
      case 1: {
        const auto others = maps_that([&](const Map& m) { return m.h == x.h && m.w == x.w; });
        const Map other = draw_.of(others);
        if (x.c + other.c > 24) return add_convolution(x);
        const int y = step<Concat>({}, {x.value, other.value});
        return maps_.push_back({y, x.h, x.w, x.c + other.c});
      }
      case 2:
        return add_pool<MaxPool2d>(x);
      case 3:
        return add_pool<AvgPool2d>(x);
      case 4:
        return maps_.push_back({step<Dropout>({.p = 0.5f}, {x.value}), x.h, x.w, x.c});
      default:
        return add_convolution(x);
    }
  }

  void add_convolution(const Map& x) {
    ConvBnAct::Options o;
    o.in = x.c;
    o.kernel = draw_.between(1, std::min<std::int64_t>({4, x.h, x.w}));
    o.padding = draw_.between(0, o.kernel - 1);
    o.stride = draw_.one_in(3) ? 2 : 1;
    o.groups = draw_.one_in(3) ? (draw_.one_in(2) ? x.c : std::gcd(x.c, std::int64_t{2})) : 1;
    o.out = o.groups * draw_.between(1, std::max<std::int64_t>(1, 9 / o.groups));
    o.norm = draw_.one_in(2) ? Norm::kBatch : Norm::kNone;
    o.act = any_act();
    o.bias = !draw_.one_in(4);
    Map y{-1, (x.h + 2 * o.padding - o.kernel) / o.stride + 1,
          (x.w + 2 * o.padding - o.kernel) / o.stride + 1, o.out};
    const auto shortcuts = maps_that([&](const Map& m) { return m.like(y); });
    o.shortcut = !shortcuts.empty() && draw_.one_in(2);
    std::vector<int> inputs{x.value};
    if (o.shortcut) inputs.push_back(draw_.of(shortcuts).value);
    y.value = step<ConvBnAct>(o, inputs);
    maps_.push_back(y);
    const bool halves = y.h % 2 == 0 && y.w % 2 == 0;
    if (halves && draw_.one_in(4)) {  // which the engine computes in one step with the convolution
      maps_.push_back(
          {step<MaxPool2d>({.kernel = 2, .stride = 2}, {y.value}), y.h / 2, y.w / 2, y.c});
    }
  }

  template <class Pool>
  void add_pool(const Map& x) {
    Pool2dOptions o;
    o.kernel = draw_.between(1, std::min<std::int64_t>({4, x.h, x.w}));
    o.stride = draw_.between(1, 3);
    o.padding = draw_.between(0, o.kernel / 2);
    const int y = step<Pool>(o, {x.value});
    maps_.push_back({y, (x.h + 2 * o.padding - o.kernel) / o.stride + 1,
                     (x.w + 2 * o.padding - o.kernel) / o.stride + 1, x.c});
  }

  void add_tail() {
    Map x = maps_.back();
    if (draw_.one_in(2)) x = {step<GlobalAvgPool>({}, {x.value}), 1, 1, x.c};
    int value = step<Flatten>({}, {x.value});
    std::int64_t features = x.h * x.w * x.c;
    if (draw_.one_in(3)) {
      const std::int64_t out = draw_.between(1, 12);
      value = step<Linear>({.in = features, .out = out, .act = any_act()}, {value});
      if (draw_.one_in(3)) value = step<AddAct>({.act = any_act()}, {value, value});
      if (draw_.one_in(3)) value = step<Dropout>({.p = 0.5f}, {value});
      features = out;
    }
    step<Linear>({.in = features, .out = draw_.between(1, 10), .bias = !draw_.one_in(5)}, {value});
  }

  Draw draw_;
  Shape image_;
  std::vector<Map> maps_;
  std::vector<Step> steps_;
};

// Weights as after training, and in some models what makes trouble: layers of quite other
// magnitudes, channels that are switched off, biases as large as they can be.
inline void draw_weights(RandomModel& model, std::uint64_t seed) {
  randomize(model, seed);
  Draw draw(seed, 2);
  if (draw.one_in(2)) return;
  for (const NamedTensor& t : model.named_parameters()) {
    Tensor tensor = t.tensor;
    const std::int64_t channels = tensor.dim(0), size = tensor.numel() / channels;
    const std::int64_t channel = draw.between(0, channels - 1);
    float* x = tensor.mutable_data();
    const bool weight = t.name.ends_with(".weight") && size > 1, bias = t.name.ends_with(".bias");
    if (draw.one_in(3)) {
      const float factor = std::ldexp(1.0f, static_cast<int>(draw.between(-5, 5)));
      std::for_each(x, x + tensor.numel(), [&](float& v) { v *= factor; });
    }
    if (weight && draw.one_in(5)) std::fill_n(x + channel * size, size, 0.0f);
    if (t.name.ends_with("bn.weight") && draw.one_in(3))
      x[channel] = draw.one_in(2) ? 0.0f : 1e-12f;
    if (bias && draw.one_in(4)) {
      x[channel] =
          (draw.one_in(2) ? -1.0f : 1.0f) * std::ldexp(1.0f, static_cast<int>(draw.between(0, 24)));
    }
  }
}

inline QConfig draw_qconfig(Draw& draw) {
  QConfig q;
  const auto bits = [&] { return draw.one_in(4) ? 8 : static_cast<int>(draw.between(2, 8)); };
  q.weight.bits = bits();
  q.weight.qscheme =
      draw.of<QScheme>({QScheme::kPerChannelSymmetric, QScheme::kPerTensorSymmetric});
  q.weight.observer = draw.of<ObserverKind>({ObserverKind::kMinMax, ObserverKind::kMovingAverage});
  q.activation.bits = bits();
  q.activation.qscheme =
      draw.of<QScheme>({QScheme::kPerTensorAffine, QScheme::kPerTensorSymmetric});
  q.activation.observer = draw.of<ObserverKind>(
      {ObserverKind::kMinMax, ObserverKind::kMovingAverage, ObserverKind::kHistogram});
  q.activation.averaging_constant = draw.uniform(0.01f, 1.0f);
  return q;
}

// Pixels as codes, or a table that differs from channel to channel.
inline qat::InputEncoding draw_input(Draw& draw, std::int64_t channels) {
  qat::InputEncoding e = centered_input(channels);
  if (draw.one_in(2)) e.qparams = {draw.uniform(0.001f, 0.1f), draw.one_in(2) ? 0 : 100};
  if (draw.one_in(2)) return e;
  for (std::size_t i = 0; i < e.table.size(); ++i) {
    const std::int64_t pixel = static_cast<std::int64_t>(i) / channels,
                       channel = static_cast<std::int64_t>(i) % channels;
    e.table[i] = static_cast<std::uint8_t>(std::min<std::int64_t>(255, pixel / 2 + 40 * channel));
  }
  return e;
}

// Pixels of a part of the range only, or of all of it with images of the darkest and the brightest.
inline std::vector<std::uint8_t> narrow_pixels(std::int64_t images, std::uint64_t seed,
                                               const Shape& image) {
  Draw draw(seed, 3);
  const std::int64_t low = draw.between(0, 200),
                     high = draw.between(low, std::min<std::int64_t>(255, low + 80));
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(images * image.numel()));
  for (std::uint8_t& p : pixels) p = static_cast<std::uint8_t>(draw.between(low, high));
  return pixels;
}
inline std::vector<std::uint8_t> wide_pixels(std::int64_t images, std::uint64_t seed,
                                             const Shape& image) {
  std::vector<std::uint8_t> pixels = random_pixels(images, seed, image);
  const std::ptrdiff_t size = image.numel();
  std::fill_n(pixels.begin(), size, std::uint8_t{0});
  std::fill_n(pixels.begin() + size, size, std::uint8_t{255});
  return pixels;
}

}  // namespace octet::testing
