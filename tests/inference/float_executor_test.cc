#include "inference/float_executor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "autograd/node.h"
#include "models/lenet.h"
#include "models/registry.h"
#include "tests/counted_new.h"
#include "tests/inference/reference.h"
#include "tests/qat/nets.h"

namespace octet {
namespace {

std::vector<float> random_images(std::int64_t images, const Shape& image) {
  Rng rng(7, RngPurpose::kTest);
  std::vector<float> x(static_cast<std::size_t>(images * image.numel()));
  for (float& v : x) v = rng.uniform(-2.0f, 2.0f);
  return x;
}

std::vector<float> infer(const std::shared_ptr<const FloatModel>& model, const Shape& image,
                         const std::vector<float>& images, std::int64_t batch, int threads,
                         std::int64_t max_batch = 0) {
  FloatExecutor executor(
      model,
      {.max_batch = max_batch == 0 ? batch : max_batch, .threads = threads, .least_products = 0});
  const auto size = static_cast<std::size_t>(executor.output_shape().numel() * batch);
  std::vector<float> result(size, std::nanf(""));
  executor.run({images.data(), static_cast<std::size_t>(batch * image.numel())}, batch, result);
  return result;
}

// The model, on every instruction set, for several numbers of threads and images: the reference's
// bits.
void check_equal(Module& model, const Shape& image, std::initializer_list<std::int64_t> batches) {
  const std::int64_t most = std::max(batches);
  const std::vector<float> images = random_images(most, image);
  const Trace traced = trace(model, Tensor::zeros({1, image[0], image[1], image[2]}));
  std::vector<float> expected;
  for (std::int64_t i = 0; i < most; ++i) {
    const auto one = testing::reference_inference(traced, image, images.data() + i * image.numel());
    expected.insert(expected.end(), one.begin(), one.end());
  }
  for (const Isa isa : supported_isas()) {
    const auto packed = pack_float_model(model, image, isa);
    for (const std::int64_t batch : batches) {
      for (const int threads : {1, 2, 3}) {
        CAPTURE(std::string(name_of(isa)));
        CAPTURE(batch);
        CAPTURE(threads);
        const std::vector<float> result = infer(packed, image, images, batch, threads);
        CHECK(std::equal(result.begin(), result.end(), expected.begin()));
        CHECK(infer(packed, image, images, batch, threads, most) == result);
      }
    }
  }
}

// One convolution, and a linear layer behind it; the shortcut is a convolution of its own.
class OneConv final : public Module {
 public:
  struct Options {
    Shape image;
    ConvBnAct::Options conv;
  };
  explicit OneConv(Options o) : conv_(add<ConvBnAct>("conv", o.conv)) {
    if (!o.conv.shortcut) return;
    o.conv.shortcut = false;
    o.conv.act = Act::kNone;
    shortcut_ = &add<ConvBnAct>("shortcut", o.conv);
  }

 private:
  Tensor forward(const Tensor& x) override {
    return flatten_(shortcut_ == nullptr ? conv_(x) : conv_(x, (*shortcut_)(x)));
  }

  ConvBnAct& conv_;
  ConvBnAct* shortcut_ = nullptr;
  Flatten& flatten_ = add<Flatten>("flatten");
};

TEST_SUITE("inference") {
  TEST_CASE("float executor: every leaf, with the bits of the reference") {
    for (const Norm norm : {Norm::kBatch, Norm::kNone}) {
      testing::EveryLeaf model({.norm = norm});
      testing::randomize(model, 3);
      check_equal(model, testing::kImage, {1, 2, 5, 13, 31});
    }
  }

  TEST_CASE("float executor: LeNet, with the bits of the reference") {
    LeNet model({.image_shape = {28, 28, 1}, .classes = 10, .padding = 2});
    testing::randomize(model, 4);
    check_equal(model, {28, 28, 1}, {1, 3, 16});
  }

  TEST_CASE("float executor: convolutions of many shapes, with the bits of the reference") {
    struct Case {
      std::int64_t side, in, out, kernel, stride, padding, groups;
      Act act;
      bool shortcut;
    };
    const Case cases[] = {
        {8, 16, 24, 3, 1, 1, 1, Act::kRelu, true},
        {4, 20, 40, 3, 1, 1, 1, Act::kRelu6, true},  // one image: tap by tap
        {4, 600, 7, 3, 1, 1, 1, Act::kNone, false},  // the kernel in pieces on wide panels
        {33, 17, 6, 1, 1, 0, 1, Act::kRelu, false},  // bands of rows, of odd width
        {17, 12, 18, 1, 2, 0, 1, Act::kRelu6, true},
        {9, 16, 16, 3, 2, 1, 1, Act::kRelu, true},
        {7, 24, 70, 5, 3, 4, 1, Act::kRelu, true},  // padding beyond the kernel's middle
        {3, 16, 5, 1, 1, 1, 1, Act::kRelu, true},   // pixels without any tap
        {2, 16, 33, 3, 1, 1, 1, Act::kNone, true},
        {1, 37, 10, 1, 1, 0, 1, Act::kNone, false},
        {12, 3, 20, 3, 1, 1, 1, Act::kRelu6, true},  // few channels: padded lines
        {14, 1, 6, 5, 1, 2, 1, Act::kRelu, true},
        {20, 2, 9, 3, 2, 0, 1, Act::kRelu, false},
        {6, 12, 18, 3, 1, 1, 3, Act::kRelu, true},     // groups
        {9, 20, 20, 3, 2, 1, 20, Act::kRelu6, false},  // depthwise
    };
    for (const Case& c : cases) {
      CAPTURE(c.side);
      CAPTURE(c.in);
      CAPTURE(c.out);
      OneConv model({{c.side, c.side, c.in},
                     {.in = c.in,
                      .out = c.out,
                      .kernel = c.kernel,
                      .stride = c.stride,
                      .padding = c.padding,
                      .groups = c.groups,
                      .act = c.act,
                      .shortcut = c.shortcut}});
      testing::randomize(model, 5);
      check_equal(model, {c.side, c.side, c.in}, {1, 2, 7, 13});
    }
  }

  // Folding rounds every weight once more, a relative error of 2^-23, and a chain of k products
  // errs by at most k 2^-24 of the sum of magnitudes; over a few layers 1e-4 is ample, and an error
  // of the fold would be far beyond it.
  TEST_CASE("float executor: the module in evaluation mode, but for rounding") {
    for (const char* name : {"resnet20", "lenet_bn"}) {
      const bool lenet = std::string(name) == "lenet_bn";
      const Shape image = lenet ? Shape{28, 28, 1} : Shape{16, 16, 3};
      std::unique_ptr<Module> model =
          lenet ? std::make_unique<LeNet>(LeNet::Options{
                      .image_shape = image, .classes = 10, .padding = 2, .norm = Norm::kBatch})
                : make_model(name, {.image_shape = image, .classes = 10});
      testing::randomize(*model, 6);
      const std::vector<float> images = random_images(4, image);
      const NoGradGuard no_grad;
      model->eval();
      const Tensor expected = (*model)(Tensor::from(images, {4, image[0], image[1], image[2]}));
      const auto result =
          infer(pack_float_model(*model, image, process_isa()), image, images, 4, 2);
      double largest = 0.0, error = 0.0;
      for (std::size_t i = 0; i < result.size(); ++i) {
        largest = std::max(largest, std::abs(double{expected.data()[i]}));
        error = std::max(error, std::abs(double{result[i]} - double{expected.data()[i]}));
      }
      CAPTURE(std::string(name));
      CHECK(largest > 0.0);
      CHECK(error <= 1e-4 * largest);
    }
  }

  TEST_CASE("float executor: run allocates nothing but the threads, which start once") {
    testing::EveryLeaf model({});
    testing::randomize(model, 3);
    const std::int64_t batch = 20;
    const std::vector<float> images = random_images(batch, testing::kImage);
    std::vector<float> result(batch * 5);
    for (const int threads : {1, 3}) {
      FloatExecutor executor(pack_float_model(model, testing::kImage, process_isa()),
                             {.max_batch = batch, .threads = threads, .least_products = 0});
      if (threads > 1) executor.run(images, batch, result);
      const long before = g_allocations;
      executor.run(images, batch, result);
      executor.run({images.data(), static_cast<std::size_t>(testing::kImage.numel())}, 1,
                   {result.data(), 5});
      const long after = g_allocations;
      CHECK(after == before);
    }
  }

  // A leaf that gives no float form.
  class Nameless final : public Leaf {
   public:
    struct Options {};
    explicit Nameless(Options) {}
    ir::ValueId lower(Lowering& lowering) const override { return lowering.inputs[0]; }

   private:
    Tensor forward(Inputs x) override { return x[0].clone(); }
  };
  class Odd final : public Module {
   public:
    Odd() : leaf_(add<Nameless>("odd")) {}

   private:
    Tensor forward(const Tensor& x) override { return leaf_(x); }
    Nameless& leaf_;
  };

  TEST_CASE("float executor: what it cannot run is an error that names the layer") {
    Odd odd;
    CHECK_THROWS_WITH_AS(pack_float_model(odd, testing::kImage, process_isa()),
                         doctest::Contains("[odd] has no form for float inference"), Error);
    testing::Small model({});
    testing::randomize(model, 3);
    CHECK_THROWS_AS(pack_float_model(model, Shape{216}, process_isa()), Error);
    CHECK_THROWS_AS(
        FloatExecutor(pack_float_model(model, testing::kImage, process_isa()), {.max_batch = 0}),
        UsageError);
    qat::prepare(model, testing::kImage, {});
    CHECK_THROWS_WITH_AS(pack_float_model(model, testing::kImage, process_isa()),
                         doctest::Contains("prepared"), Error);
  }
}

}  // namespace
}  // namespace octet
