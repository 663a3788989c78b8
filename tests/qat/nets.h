#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "nn/add_act.h"
#include "nn/concat.h"
#include "nn/conv_bn_act.h"
#include "nn/dropout.h"
#include "nn/flatten.h"
#include "nn/linear.h"
#include "nn/pool.h"
#include "qat/convert.h"
#include "qat/prepare.h"
#include "qat/schedule.h"
#include "tests/testing.h"

// Small networks that use every leaf, and the way from random weights to a calibrated model.
namespace octet::testing {

inline const Shape kImage{8, 8, 3};

// Every leaf; residuals of both kinds, concat, groups, both activations, and a convolution over 576
// products.
class EveryLeaf final : public Module {
 public:
  struct Options {
    Norm norm = Norm::kBatch;
  };
  explicit EveryLeaf(Options o)
      : stem_(
            add<ConvBnAct>("stem", {.in = 3, .out = 8, .kernel = 3, .padding = 1, .norm = o.norm})),
        grouped_(add<ConvBnAct>("grouped", {.in = 8,
                                            .out = 8,
                                            .kernel = 3,
                                            .padding = 1,
                                            .groups = 2,
                                            .norm = o.norm,
                                            .act = Act::kNone})),
        residual_(add<ConvBnAct>(
            "residual",
            {.in = 8, .out = 8, .kernel = 3, .padding = 1, .norm = o.norm, .shortcut = true})),
        depthwise_(add<ConvBnAct>("depthwise", {.in = 8,
                                                .out = 8,
                                                .kernel = 3,
                                                .padding = 1,
                                                .groups = 8,
                                                .norm = o.norm,
                                                .act = Act::kRelu6})),
        wide_(add<ConvBnAct>("wide",
                             {.in = 16, .out = 64, .kernel = 3, .padding = 1, .norm = o.norm})),
        deep_(add<ConvBnAct>("deep", {.in = 64,
                                      .out = 8,
                                      .kernel = 3,
                                      .stride = 2,
                                      .padding = 1,
                                      .norm = o.norm,
                                      .act = Act::kRelu})) {}

 private:
  Tensor forward(const Tensor& x) override {
    const Tensor a = stem_(x);
    const Tensor b = residual_(join_(grouped_(a), a), a);
    const Tensor c = concat_(b, depthwise_(b));
    const Tensor d = average_(max_(deep_(wide_(c))));
    return fc_(drop_(flatten_(global_(d))));
  }

  ConvBnAct &stem_, &grouped_, &residual_, &depthwise_, &wide_, &deep_;
  AddAct& join_ = add<AddAct>("join", {.act = Act::kNone});
  Concat& concat_ = add<Concat>("concat");
  MaxPool2d& max_ = add<MaxPool2d>("max", {.kernel = 3, .stride = 1, .padding = 1});
  AvgPool2d& average_ = add<AvgPool2d>("average", {.kernel = 3, .stride = 1, .padding = 1});
  GlobalAvgPool& global_ = add<GlobalAvgPool>("global");
  Flatten& flatten_ = add<Flatten>("flatten");
  Dropout& drop_ = add<Dropout>("drop", {.p = 0.25f});
  Linear& fc_ = add<Linear>("fc", {.in = 8, .out = 5});
};

// One convolution and one linear layer, and between them a convolution with a shortcut if wanted.
class Small final : public Module {
 public:
  struct Options {
    Norm norm = Norm::kBatch;
    Act act = Act::kRelu;
    bool residual = false;
  };
  explicit Small(Options o)
      : conv_(add<ConvBnAct>("conv",
                             {.in = 3, .out = 6, .kernel = 3, .norm = o.norm, .act = o.act})) {
    if (!o.residual) return;
    residual_ = &add<ConvBnAct>("residual", {.in = 6,
                                             .out = 6,
                                             .kernel = 3,
                                             .padding = 1,
                                             .norm = o.norm,
                                             .act = o.act,
                                             .shortcut = true});
  }

 private:
  Tensor forward(const Tensor& x) override {
    const Tensor y = conv_(x);
    return fc_(flatten_(residual_ == nullptr ? y : (*residual_)(y, y)));
  }

  ConvBnAct& conv_;
  ConvBnAct* residual_ = nullptr;
  Flatten& flatten_ = add<Flatten>("flatten");
  Linear& fc_ = add<Linear>("fc", {.in = 216, .out = 4});
};

inline Tensor find(const std::vector<NamedTensor>& tensors, const std::string& name) {
  for (const NamedTensor& t : tensors) {
    if (t.name == name) return t.tensor;
  }
  throw Error("no tensor " + name);
}

inline std::vector<std::uint8_t> random_pixels(std::int64_t images, std::uint64_t seed,
                                               const Shape& image = kImage) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(images * image.numel()));
  Rng rng(seed, RngPurpose::kTest);
  for (std::uint8_t& p : pixels) p = static_cast<std::uint8_t>(rng.below(256));
  return pixels;
}

// Pixels that are codes: scale 2^-6, zero point 128, as for natural images.
inline qat::InputEncoding centered_input(std::int64_t channels) {
  qat::InputEncoding e{{0x1p-6f, 128}, {}};
  for (std::int64_t i = 0; i < 256 * channels; ++i) {
    e.table.push_back(static_cast<std::uint8_t>(i / channels));
  }
  return e;
}

inline const qat::InputEncoding kInput = centered_input(3);

// The real numbers that training sees for these pixels.
inline Tensor real_images(const std::vector<std::uint8_t>& pixels, const qat::InputEncoding& input,
                          const Shape& image = kImage) {
  const auto count = static_cast<std::int64_t>(pixels.size()) / image.numel();
  Tensor x = qat::input_codes(pixels, {count, image[0], image[1], image[2]}, input);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    x.mutable_data()[i] = dequantize_one(static_cast<std::int32_t>(x.data()[i]), input.qparams);
  }
  x.set_qparams({});
  return x;
}

// Random weights, and batch-norm parameters and statistics that differ from channel to channel.
inline void randomize(Module& model, std::uint64_t seed) {
  initialize(model, seed);
  Rng rng(seed, RngPurpose::kTest);
  const auto fill = [&](Tensor t, float low, float high) {
    for (std::int64_t i = 0; i < t.numel(); ++i) t.mutable_data()[i] = rng.uniform(low, high);
  };
  for (const NamedTensor& t : model.named_parameters()) {
    if (t.name.ends_with("bn.weight")) fill(t.tensor, -1.5f, 1.5f);
    if (t.name.ends_with("bn.bias")) fill(t.tensor, -0.5f, 0.5f);
  }
  for (const NamedTensor& t : model.named_buffers()) {
    if (t.name.ends_with("running_mean")) fill(t.tensor, -0.3f, 0.3f);
    if (t.name.ends_with("running_var")) fill(t.tensor, 0.1f, 0.9f);
  }
}

inline void calibrate(Module& model, const Tensor& images) {
  const qat::CalibrationGuard calibration(model);
  const NoGradGuard no_grad;
  model(images);
}

inline QConfig min_max_qconfig() {
  QConfig q;
  q.activation.observer = ObserverKind::kMinMax;
  return q;
}

inline qat::ConvertOptions convert_options(const qat::InputEncoding& input,
                                           const Shape& image = kImage) {
  return {
      .model = "net", .dataset = "random", .class_names = {}, .image_shape = image, .input = input};
}

}  // namespace octet::testing
