#include "models/resnet.h"

#include "models/registry.h"
#include "nn/trace.h"
#include "qat/verify.h"
#include "tests/qat/quadrants.h"

namespace octet {
namespace {

using namespace testing;  // NOLINT: a test's own vocabulary

std::unique_ptr<Module> make(const std::string& name, std::int64_t classes = 10,
                             const Shape& image = kImage) {
  return make_model(name, {.image_shape = image, .classes = classes});
}

Trace trace_zeros(Module& model, std::int64_t side) {
  return trace(model, Tensor::zeros({1, side, side, 3}));
}

const Tensor& result_of(const Trace& traced, const std::string& name) {
  for (const TraceRecord& r : traced.records) {
    if (r.name == name) return r.result;
  }
  throw Error("no layer " + name);
}

std::vector<NamedTensor> state_of(const Module& model) {
  std::vector<NamedTensor> all = model.named_parameters();
  for (const NamedTensor& t : model.named_buffers()) all.push_back(t);
  return all;
}

}  // namespace

// The sums over all layers, worked out by hand: parameters as in the reimplementations that
// everyone uses; multiplications of convolutions and the linear layer for one image of 32 x 32.
TEST_CASE("resnet: parameters and multiply-adds") {
  struct Case {
    const char* name;
    std::int64_t parameters, macs;
  };
  for (const Case& c :
       {Case{"resnet20", 272'474, 40'813'184}, Case{"resnet18", 11'173'962, 555'422'720},
        Case{"resnet50", 23'520'842, 1'297'829'888}}) {
    CAPTURE(c.name);
    const auto model = make(c.name, 10, {32, 32, 3});
    std::map<std::string, Tensor> weights;
    std::int64_t parameters = 0, macs = 0;
    for (const NamedTensor& t : model->named_parameters()) {
      parameters += t.tensor.numel();
      weights[t.name] = t.tensor;
    }
    for (const TraceRecord& r : trace_zeros(*model, 32).records) {
      const auto w = weights.find(r.name + ".weight");
      if (w == weights.end()) continue;
      macs += r.result.numel() * (w->second.numel() / w->second.dim(0));
    }
    CHECK(parameters == c.parameters);
    CHECK(macs == c.macs);
  }
}

TEST_CASE("resnet: names, shapes, and where the stride is") {
  const auto basic = make("resnet20"), deep = make("resnet50");
  const Trace small = trace_zeros(*basic, 32), large = trace_zeros(*deep, 32);
  CHECK(result_of(small, "layer1.2.conv2").shape() == Shape{1, 32, 32, 16});
  CHECK(result_of(small, "layer2.0.conv1").shape() == Shape{1, 16, 16, 32});
  CHECK(result_of(small, "layer2.0.downsample").shape() == Shape{1, 16, 16, 32});
  CHECK(result_of(small, "layer3.2.conv2").shape() == Shape{1, 8, 8, 64});
  CHECK(result_of(small, "avgpool").shape() == Shape{1, 1, 1, 64});
  CHECK_THROWS_AS(result_of(small, "layer1.0.downsample"), Error);  // nothing changes there
  CHECK(result_of(large, "layer1.0.downsample").shape() == Shape{1, 32, 32, 256});
  CHECK(result_of(large, "layer2.0.conv1").shape() == Shape{1, 32, 32, 128});
  CHECK(result_of(large, "layer2.0.conv2").shape() == Shape{1, 16, 16, 128});
  CHECK(result_of(large, "layer4.2.conv3").shape() == Shape{1, 4, 4, 2048});
  CHECK(result_of(large, "fc").shape() == Shape{1, 10});
  // Another size than the one it was made for, as long as the strides divide it.
  CHECK(result_of(trace_zeros(*deep, 16), "layer4.2.conv3").shape() == Shape{1, 2, 2, 2048});
}

TEST_CASE("resnet: with the last gamma of each block at 0, every block starts as its shortcut") {
  for (const bool zero : {true, false}) {
    CAPTURE(zero);
    const auto model = make_model("resnet20", {.image_shape = kImage, .zero_init_residual = zero});
    initialize(*model, 1);
    for (const NamedTensor& t : model->named_parameters()) {
      if (!t.name.ends_with("bn.weight")) continue;
      CAPTURE(t.name);
      const bool last = t.name.find(".conv2.") != std::string::npos;
      CHECK(t.tensor.data()[0] == (zero && last ? 0.0f : 1.0f));
    }
    const Trace traced = trace(*model, randn({2, 8, 8, 3}, 1));
    const Tensor &stem = result_of(traced, "conv1"), &stage = result_of(traced, "layer1.2.conv2");
    CHECK(bool(same_bits(stem, stage)) == zero);
  }
}

TEST_CASE("resnet: images that do not suit it are errors that say what would") {
  CHECK_THROWS_WITH_AS(make("resnet20", 10, {32, 30, 3}),
                       doctest::Contains("multiples of 4, got shape [32, 30, 3]"), Error);
  CHECK_THROWS_WITH_AS(make("resnet50", 10, {28, 28, 1}), doctest::Contains("multiples of 8"),
                       Error);
  CHECK_THROWS_AS(make("resnet18", 10, {32, 32}), Error);
  CHECK_THROWS_AS(make("resnet18", 0), Error);
  CHECK_NOTHROW(make("resnet20", 10, {28, 28, 1}));
  const auto model = make("resnet20");
  CHECK_THROWS_WITH_AS((*model)(Tensor::zeros({1, 8, 8, 1})), doctest::Contains("[conv1]"), Error);
}

// Also as initialized, where the last convolution of each block is all zeros.
TEST_CASE("resnet: the twin and the integer graph agree in every tensor") {
  struct Case {
    const char* name;
    bool zero_init;
    std::int64_t tensors;  // two for the last convolution of each block
  };
  for (const Case& c :
       {Case{"resnet20", true, 1 + 9 * 3 + 2 + 3}, Case{"resnet20", false, 1 + 9 * 3 + 2 + 3},
        Case{"resnet18", false, 1 + 8 * 3 + 3 + 3}, Case{"resnet50", false, 1 + 16 * 4 + 4 + 3}}) {
    CAPTURE(c.name);
    CAPTURE(c.zero_init);
    const auto model =
        make_model(c.name, {.image_shape = kImage, .zero_init_residual = c.zero_init});
    initialize(*model, 1);
    const Tensor x = real_images(random_pixels(8, 1), kInput);
    {
      const NoGradGuard no_grad;
      for (int i = 0; i < 8; ++i) (*model)(x);  // statistics
    }
    qat::prepare(*model, kImage, {});
    calibrate(*model, x);
    const ir::Graph graph = qat::convert(*model, convert_options(kInput));
    const qat::VerifyReport report =
        qat::verify(*model, graph, random_pixels(3, 2), {.input = kInput});
    CHECK(report.tensors == c.tensors);
    CHECK(report.mismatched == 0);
    CHECK(report.first_mismatch == "");
  }
}

namespace {

struct Trained {
  std::vector<float> losses;
  std::vector<NamedTensor> state;
  ir::Graph graph;
};

// From random weights through float training and QAT to the graph: 16 images of 8 x 8.
Trained train_resnet20(Module& model) {
  Trained t;
  initialize(model, 1);
  const Problem train = quadrants(16, 1);
  const Tensor x = real_images(train.pixels, kInput);
  for (int i = 0; i < 8; ++i) t.losses.push_back(step(model, x, train.labels, 0.5f));
  qat::prepare(model, kImage, {});
  calibrate(model, x);
  for (int i = 0; i < 3; ++i) {
    qat::apply_schedule(model, i, {.freeze_observer_epoch = 2, .freeze_bn_epoch = 2});
    t.losses.push_back(step(model, x, train.labels, 0.1f));
  }
  t.state = state_of(model);
  t.graph = qat::convert(model, convert_options(kInput));
  return t;
}

}  // namespace

TEST_CASE("resnet20: trains, quantizes and verifies, same bits for threads and instruction sets") {
  const auto model = make("resnet20", 4);
  const Trained expected = train_resnet20(*model);
  CHECK(expected.losses[7] < 0.5f * expected.losses[0]);
  CHECK(expected.losses[9] < expected.losses[8]);  // QAT
  const qat::VerifyReport report =
      qat::verify(*model, expected.graph, quadrants(8, 2).pixels, {.input = kInput});
  CHECK(report.mismatched == 0);
  CHECK(report.first_mismatch == "");

  const auto check_same = [&] {
    const auto again = make("resnet20", 4);
    const Trained got = train_resnet20(*again);
    CHECK(got.losses == expected.losses);
    REQUIRE(got.state.size() == expected.state.size());
    for (std::size_t i = 0; i < got.state.size(); ++i) {
      CAPTURE(got.state[i].name);
      CHECK_SAME_BITS(got.state[i].tensor, expected.state[i].tensor);
    }
    CHECK(got.graph == expected.graph);
  };
  for_each_threads([&](int) { check_same(); });
  for_each_isa([&](Isa) { check_same(); });
}

}  // namespace octet
