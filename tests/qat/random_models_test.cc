#include <numeric>

#include "qat/verify.h"
#include "tests/inference/reference.h"
#include "tests/qat/random_model.h"

// What holds for every model that can be built, drawn at random: the twin and the engine agree in
// every tensor, also for images far beyond those of the calibration, and each layer stands for the
// real numbers of the float layer. The second is no matter of comparing the two: they share the
// parameters.
namespace octet {
namespace {

using namespace testing;  // NOLINT: a test's own vocabulary

#if defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t kModels = 32;  // in a case
#else
constexpr std::uint64_t kModels = 300;
#endif

constexpr std::int64_t kImages = 5;

// The real numbers of image n of a tensor of codes or logits.
ReferenceMap real_map(const Tensor& codes, std::int64_t n) {
  ReferenceMap map(codes.shape());
  const std::int64_t size = codes.numel() / codes.dim(0);
  const QParams q = *codes.qparams();
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int32_t code = codes.dtype() == DType::kI32
                                  ? codes.data<std::int32_t>()[n * size + i]
                                  : static_cast<std::int32_t>(codes.data()[n * size + i]);
    map.x[static_cast<std::size_t>(i)] = static_cast<float>(
        double{q.scale} * (static_cast<double>(code) - static_cast<double>(q.zero_point)));
  }
  return map;
}

void make_absolute(std::vector<float>& x) {
  for (float& v : x) v = std::fabs(v);
}

// Compares each layer of the twin with the float layer on the same input, which is what the twin's
// input codes stand for: the difference is at most what rounding the weights, the bias and the
// result can make. A result outside of the calibrated range is its end.
class RealCheck {
 public:
  // float_leaves: those of the model before it was prepared
  RealCheck(const Trace& twin, const Tensor& input, std::map<std::string, Leaf*> float_leaves)
      : twin_(twin), input_(input), float_leaves_(std::move(float_leaves)) {}

  // The first fault; empty if there is none.
  std::string run() {
    for (std::int64_t n = 0; n < input_.dim(0); ++n) {
      std::vector<ReferenceMap> values{real_map(input_, n)};
      std::vector<QParams> qparams{*input_.qparams()};
      for (const TraceRecord& record : twin_.records) {
        Layer layer{record, n, {}, {}};
        for (const int i : record.inputs) {
          layer.in.push_back(&values[static_cast<std::size_t>(i)]);
          layer.qparams.push_back(qparams[static_cast<std::size_t>(i)]);
        }
        check(layer);
        if (!fault_.empty()) return fault_;
        values.push_back(real_map(record.result, n));
        qparams.push_back(*record.result.qparams());
      }
    }
    return {};
  }

 private:
  struct Layer {
    const TraceRecord& record;
    std::int64_t image;
    std::vector<ReferenceMap*> in;
    std::vector<QParams> qparams;
  };

  // How far codes may be off: at(i) in real numbers, besides half a step of the result.
  using Slack = std::function<double(std::size_t)>;

  void check(const Layer& layer) {
    const FloatForm form = float_leaves_.at(layer.record.name)->float_form();
    const std::vector<FakeQuantize*> quantizers = layer.record.leaf->fake_quantizers();
    const QParams y = *layer.record.result.qparams();
    ReferenceMap expected(layer.record.result.shape());
    if (const auto* conv = std::get_if<FloatConv2d>(&form)) {
      return check_convolution(layer, *conv, quantizers);
    }
    reference_leaf(form, layer.in, expected);
    const FakeQuantize* output = quantizers.empty() ? nullptr : quantizers.back();
    Slack slack = [](std::size_t) { return 0.0; };
    const bool copies = output == nullptr;
    if (std::holds_alternative<FloatAdd>(form) || std::holds_alternative<FloatConcat>(form)) {
      slack = [&](std::size_t) { return add_slack(layer.qparams, y); };
    }
    compare(layer, layer.record.name, layer.record.result, expected, output, copies, slack);
  }

  // eqs. (11), (12): what the factors of the operands are off.
  static double add_slack(const std::vector<QParams>& operands, QParams y) {
    double largest = 0.0;
    for (const QParams q : operands) largest = std::max(largest, double{q.scale} / y.scale);
    int shift = 20;
    while (shift > 1 && std::ldexp(largest, shift) >= 32767.5) --shift;
    return y.scale * static_cast<double>(operands.size()) * 255.0 / std::ldexp(1.0, shift + 1);
  }

  void check_convolution(const Layer& layer, const FloatConv2d& f,
                         const std::vector<FakeQuantize*>& quantizers) {
    const FakeQuantize& weight = *quantizers[0];
    const double input_scale = layer.qparams[0].scale;
    const auto steps = static_cast<float>(weight.range().quant_max);
    const std::size_t taps = f.weight.size() / f.bias.size();
    FloatConv2d rounding = f, magnitude = f;  // half a step for each weight, and absolute numbers
    rounding.act = magnitude.act = Act::kNone;
    rounding.shortcut = magnitude.shortcut = false;
    make_absolute(magnitude.weight);
    make_absolute(magnitude.bias);
    const float of_all = *std::max_element(magnitude.weight.begin(), magnitude.weight.end());
    std::vector<double> unit(f.bias.size());  // the accumulator's, at least
    for (std::size_t c = 0; c < unit.size(); ++c) {
      const auto first = magnitude.weight.begin() + static_cast<std::ptrdiff_t>(c * taps);
      const float largest =
          weight.per_channel() ? *std::max_element(first, first + static_cast<std::ptrdiff_t>(taps))
                               : of_all;
      // eqs. (4), (6): a scale that was raised for the bias has rounded the weights twice.
      const float scale = largest / steps;
      const auto raised = static_cast<float>(std::ldexp(magnitude.bias[c] / input_scale, -30));
      const float half = 0.5f * (raised > scale ? scale + raised : scale);
      std::fill_n(rounding.weight.begin() + static_cast<std::ptrdiff_t>(c * taps), taps, half);
      unit[c] = input_scale * std::max(scale, raised);
      // A channel whose weights all became 0 has 2^20 steps for its bias.
      rounding.bias[c] =
          static_cast<float>(0.5 * std::max(unit[c], std::ldexp(double{magnitude.bias[c]}, -20)));
    }
    const Shape& shape = layer.record.result.shape();
    ReferenceMap x = *layer.in[0];
    make_absolute(x.x);
    ReferenceMap expected(shape), error(shape), size(shape);
    reference_conv(rounding, x, nullptr, error);
    reference_conv(magnitude, x, nullptr, size);
    FloatConv2d product = f;
    product.shortcut = false;
    if (f.shortcut) product.act = Act::kNone;
    reference_conv(product, *layer.in[0], nullptr, expected);

    const bool logits = layer.record.result.dtype() == DType::kI32;
    const Tensor& codes = f.shortcut ? layer.record.inner.at(0).tensor : layer.record.result;
    const double y_scale = codes.qparams()->scale;
    const Slack slack = [&](std::size_t i) {
      // eq. (8): the multiplier is rounded too, by up to 2^-33. A bias of 2^30 steps feels it.
      const double of_multiplier =
          logits ? y_scale
                 : y_scale * std::min(0.25, std::ldexp(size.x[i] / unit[i % unit.size()], -33));
      return error.x[i] + 1e-5 * size.x[i] + of_multiplier;
    };
    const FakeQuantize* output = logits ? nullptr : quantizers[1];
    compare(layer, layer.record.name + (f.shortcut ? ".conv" : ""), codes, expected, output, false,
            slack);
    if (!f.shortcut || !fault_.empty()) return;

    ReferenceMap real = real_map(codes, layer.image);
    ReferenceMap sum(shape);
    reference_leaf(FloatAdd{f.act}, {&real, layer.in[1]}, sum);
    const QParams y = *layer.record.result.qparams();
    compare(layer, layer.record.name, layer.record.result, sum, quantizers[2], false,
            [&](std::size_t) {
              return add_slack({*codes.qparams(), layer.qparams[1]}, y);
            });
  }

  // output: what the result is quantized by, null for none      copies: no code is rounded anew
  void compare(const Layer& layer, const std::string& name, const Tensor& codes,
               const ReferenceMap& expected, const FakeQuantize* output, bool copies,
               const Slack& slack) {
    const ReferenceMap got = real_map(codes, layer.image);
    const QParams q = *codes.qparams();
    for (std::size_t i = 0; i < got.x.size(); ++i) {
      double real = expected.x[i];
      if (output != nullptr) {
        const QRange range = output->range();
        real = std::clamp(real, double{q.scale} * (range.quant_min - q.zero_point),
                          double{q.scale} * (range.quant_max - q.zero_point));
      }
      const double half = copies ? 0.0 : 0.501 * q.scale;
      const double allowed = half + slack(i) + 1e-5 * std::fabs(real);
      const double difference = std::fabs(got.x[i] - real);
      if (difference <= allowed) continue;
      fault_ = message(name, " [image ", layer.image, ", element ", i, "]: ", got.x[i],
                       " stands for ", real, ", off by ", difference, ", allowed ", allowed);
      return;
    }
  }

  const Trace& twin_;
  const Tensor& input_;
  std::map<std::string, Leaf*> float_leaves_;
  std::string fault_;
};

struct Outcome {
  bool refused = false;  // the model has no integer form: a ratio of scales out of range
  std::string fault;     // empty: none
};

Outcome check_model(std::uint64_t seed) {
  RandomModel model(seed), float_model(seed);
  draw_weights(model, seed);
  draw_weights(float_model, seed);
  const Shape image = model.image();
  Draw draw(seed, 4);
  const qat::InputEncoding input = draw_input(draw, image[2]);
  std::map<std::string, QConfig> overrides;
  std::map<std::string, Leaf*> float_leaves;
  for (const auto& [name, leaf] : named_leaves(float_model)) {
    float_leaves[name] = leaf;
    if (draw.one_in(4)) overrides[name] = draw_qconfig(draw);
  }
  qat::prepare(model, image, draw_qconfig(draw), overrides);
  for (const std::uint64_t batch : {0, 1}) {
    calibrate(model, real_images(narrow_pixels(2, 2 * seed + batch, image), input, image));
  }
  ir::Graph graph;
  try {
    graph = qat::convert(model, convert_options(input, image));
  } catch (const Error&) {
    return {true, {}};
  }
  const auto pixels = wide_pixels(kImages, seed, image);
  const qat::VerifyReport report = qat::verify(model, graph, pixels,
                                               {.input = input,
                                                .batch_size = draw.between(1, kImages),
                                                .threads = static_cast<int>(draw.between(1, 2)),
                                                .isa = draw.of(supported_isas())});
  if (report.mismatched > 0) return {false, report.first_mismatch};
  const Tensor codes = qat::input_codes(pixels, {kImages, image[0], image[1], image[2]}, input);
  return {false, RealCheck(trace(model, codes), codes, float_leaves).run()};
}

void check_models(std::uint64_t first) {
  std::uint64_t refused = 0, checked = 0;
  for (std::uint64_t seed = first; checked < kModels; ++seed) {
    CAPTURE(seed);
    const Outcome outcome = check_model(seed);
    ++(outcome.refused ? refused : checked);
    REQUIRE(refused <= kModels / 10 + 2);
    CHECK(outcome.fault == "");
  }
}

}  // namespace

TEST_CASE("random models: twin and engine agree, and stand for the float layers, part 1 of 7") {
  check_models(1000000);
}
TEST_CASE("random models: twin and engine agree, and stand for the float layers, part 2 of 7") {
  check_models(2000000);
}
TEST_CASE("random models: twin and engine agree, and stand for the float layers, part 3 of 7") {
  check_models(3000000);
}
TEST_CASE("random models: twin and engine agree, and stand for the float layers, part 4 of 7") {
  check_models(4000000);
}
TEST_CASE("random models: twin and engine agree, and stand for the float layers, part 5 of 7") {
  check_models(5000000);
}
TEST_CASE("random models: twin and engine agree, and stand for the float layers, part 6 of 7") {
  check_models(6000000);
}
TEST_CASE("random models: twin and engine agree, and stand for the float layers, part 7 of 7") {
  check_models(7000000);
}

}  // namespace octet
