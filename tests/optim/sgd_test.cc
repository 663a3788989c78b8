#include "optim/sgd.h"

#include "optim/grad_norm.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

NamedTensor parameter(std::string name, const std::vector<float>& values, Shape shape) {
  return {std::move(name), Tensor::from(values, std::move(shape)).set_requires_grad(true)};
}

NamedTensor scalar(float value) { return parameter("w", {value}, {1}); }

void set_grad(NamedTensor& p, float value) {
  p.tensor.set_grad(Tensor::full(p.tensor.shape(), value));
}

TEST_CASE("sgd: plain, by hand") {
  NamedTensor w = scalar(2.0f);
  Sgd sgd({w}, {.momentum = 0.0f, .weight_decay = 0.5f});
  set_grad(w, 3.0f);
  sgd.step(0.25f);  // 2 - 0.25 (3 + 0.5 * 2)
  CHECK(w.tensor.item() == 1.0f);
  CHECK(sgd.state().empty());
}

// torch.optim.SGD's update rule: the first buffer is the gradient itself.
TEST_CASE("sgd: momentum over three steps, by hand") {
  NamedTensor w = scalar(1.0f);
  Sgd sgd({w}, {.momentum = 0.5f});
  for (const float expected : {0.5f, -0.25f, -1.125f}) {  // m = 4, 6, 7; lr 1/8
    set_grad(w, 4.0f);
    sgd.step(0.125f);
    CHECK(w.tensor.item() == expected);
  }
  CHECK(sgd.state()[0].tensor.item() == 7.0f);
}

TEST_CASE("sgd: nesterov with weight decay, by hand") {
  NamedTensor w = scalar(8.0f);
  Sgd sgd({w}, {.momentum = 0.5f, .nesterov = true, .weight_decay = 0.25f});
  set_grad(w, 2.0f);
  sgd.step(0.5f);  // g' = 2 + 2 = 4, m = 4, w -= 0.5 (4 + 2)
  CHECK(w.tensor.item() == 5.0f);
  set_grad(w, 0.75f);
  sgd.step(0.5f);  // g' = 0.75 + 1.25 = 2, m = 2 + 2 = 4, w -= 0.5 (2 + 2)
  CHECK(w.tensor.item() == 3.0f);
}

TEST_CASE("sgd: the predicate chooses what decays, grad_scale scales the gradient alone") {
  NamedTensor weight = parameter("fc.weight", {4.0f, 4.0f}, {1, 2});
  NamedTensor bias = parameter("fc.bias", {4.0f}, {1});
  Sgd sgd({weight, bias}, {.momentum = 0.0f, .weight_decay = 0.5f, .decays = is_layer_weight});
  set_grad(weight, 8.0f);
  set_grad(bias, 8.0f);
  sgd.step(0.25f, 0.5f);
  CHECK_SAME_BITS(weight.tensor, Tensor::from({2.5f, 2.5f}, {1, 2}));  // 4 - 0.25 (4 + 2)
  CHECK(bias.tensor.item() == 3.0f);
}

TEST_CASE("sgd: parameters without a gradient stay, zero_grad forgets") {
  NamedTensor w = scalar(2.0f);
  Sgd sgd({w}, {.momentum = 0.5f, .weight_decay = 0.5f});
  sgd.step(1.0f);
  CHECK(w.tensor.item() == 2.0f);
  set_grad(w, 1.0f);
  sgd.zero_grad();
  CHECK_FALSE(w.tensor.grad().defined());
}

TEST_CASE("sgd: resuming from the saved state continues to the bit") {
  const Tensor start = randn({40}, 1);
  const auto run = [&](NamedTensor& p, Sgd& sgd, int from, int to) {
    for (int step = from; step < to; ++step) {
      p.tensor.set_grad(randn({40}, 10 + static_cast<std::uint64_t>(step)));
      sgd.step(0.1f);
    }
  };
  const SgdOptions options{.momentum = 0.9f, .nesterov = true, .weight_decay = 1e-3f};
  NamedTensor whole{"a.weight", start.clone()};
  Sgd once({whole}, options);
  run(whole, once, 0, 6);

  NamedTensor first{"a.weight", start.clone()};
  Sgd before({first}, options);
  run(first, before, 0, 3);
  NamedTensor second{"a.weight", first.tensor.clone()};
  Sgd after({second}, options);
  REQUIRE(after.state().size() == 1);
  CHECK(after.state()[0].name == "optimizer.a.weight.momentum");
  after.state()[0].tensor.copy_from(before.state()[0].tensor);
  run(second, after, 3, 6);
  CHECK_SAME_BITS(second.tensor, whole.tensor);
}

TEST_CASE("sgd and grad_norm: the same bits for every number of threads") {
  const auto run = [] {
    NamedTensor p{"w", randn({100000}, 1)};
    p.tensor.set_grad(randn({100000}, 2));
    Sgd sgd({p}, {.momentum = 0.9f, .nesterov = true, .weight_decay = 1e-2f});
    const double norm = grad_norm({p});
    sgd.step(0.1f);
    sgd.step(0.1f, clip_factor(norm, 1.0));
    return std::pair(p.tensor, norm);
  };
  const auto [w, norm] = run();
  for_each_threads([&, expected = w, expected_norm = norm](int) {
    const auto [again, again_norm] = run();
    CHECK_SAME_BITS(again, expected);
    CHECK(again_norm == expected_norm);
  });
}

TEST_CASE("sgd: options out of range and tensors of another type") {
  CHECK_THROWS_AS(Sgd({}, {.momentum = 1.0f}), UsageError);
  CHECK_THROWS_AS(Sgd({}, {.momentum = -0.1f}), UsageError);
  CHECK_THROWS_AS(Sgd({}, {.weight_decay = -1.0f}), UsageError);
  CHECK_THROWS_AS(Sgd({}, {.momentum = 0.0f, .nesterov = true}), UsageError);
  CHECK_THROWS_WITH_AS(Sgd({{"w", Tensor::zeros({1}, DType::kI32)}}, {}),
                       "[sgd] w must be F32, not I32", Error);
}

TEST_CASE("grad_norm: by hand, over parameters, and not finite exactly when a gradient is not") {
  NamedTensor a = parameter("a", std::vector<float>(9, 0.0f), {9}), b = scalar(0.0f);
  NamedTensor none = scalar(1.0f);
  set_grad(a, 1.0f);
  set_grad(b, 4.0f);
  CHECK(grad_norm({a, none, b}) == 5.0);  // sqrt(9 * 1 + 16)
  CHECK(grad_norm({}) == 0.0);
  set_grad(b, 3e38f);
  CHECK(std::isfinite(grad_norm({a, b})));
  for (const int i : {0, 7, 8}) {  // in the lanes and in the tail
    for (const float bad : {std::nanf(""), HUGE_VALF}) {
      set_grad(a, 1.0f);
      a.tensor.grad().mutable_data()[i] = bad;
      CHECK_FALSE(std::isfinite(grad_norm({a, b})));
    }
  }
}

TEST_CASE("clip_factor: 1 below the limit, the ratio above") {
  CHECK(clip_factor(0.0, 1.0) == 1.0f);
  CHECK(clip_factor(0.5, 1.0) == 1.0f);
  CHECK(clip_factor(4.0, 1.0) == doctest::Approx(0.25));
  CHECK_THROWS_AS(clip_factor(1.0, 0.0), Error);
}

}  // namespace
}  // namespace octet
