#include "autograd/node.h"

#include "ops/add.h"
#include "tensor/buffer_pool.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

int g_live_nodes = 0;

// Counts its instances, so that tests can see when nodes are released.
struct CountedNode : Node {
  CountedNode() { ++g_live_nodes; }
  ~CountedNode() override { --g_live_nodes; }
};

// a * b, elementwise.
struct MulBackward final : CountedNode {
  Tensor a, b;

  const char* name() const override { return "MulBackward"; }
  static Tensor product(const Tensor& x, const Tensor& y) {
    Tensor z = Tensor::empty(x.shape());
    for (std::int64_t i = 0; i < z.numel(); ++i) z.mutable_data()[i] = x.data()[i] * y.data()[i];
    return z;
  }
  std::vector<Tensor> backward(const Tensor& grad_output) override {
    return {inputs[0].needs_grad() ? product(grad_output, b) : Tensor(),
            inputs[1].needs_grad() ? product(grad_output, a) : Tensor()};
  }
};

Tensor mul(const Tensor& a, const Tensor& b) {
  Tensor y = MulBackward::product(a, b);
  if (should_record({a, b})) {
    auto node = std::make_shared<MulBackward>();
    node->a = a.detach();
    node->b = b.detach();
    attach(y, {a, b}, std::move(node));
  }
  return y;
}

Tensor leaf(float value) { return Tensor::full({1}, value).set_requires_grad(true); }

TEST_CASE("backward: d(ab + aa)") {
  Tensor a = leaf(3.0f), b = leaf(5.0f);
  const Tensor y = add(mul(a, b), mul(a, a));
  CHECK(y.item() == 24.0f);
  backward(y);
  CHECK(a.grad().item() == 5.0f + 2.0f * 3.0f);
  CHECK(b.grad().item() == 3.0f);
}

TEST_CASE("backward: diamonds, one gradient per node although several paths lead to it") {
  Tensor x = leaf(2.0f);
  Tensor y = x;
  for (int i = 0; i < 20; ++i) y = add(y, y);  // 2^20 paths
  backward(y);
  CHECK(x.grad().item() == 1048576.0f);

  Tensor z = leaf(2.0f);
  const Tensor square = mul(z, z);                     // z^2
  backward(mul(add(square, z), add(square, square)));  // (z^2 + z) 2 z^2 = 2 z^4 + 2 z^3
  CHECK(z.grad().item() == 8.0f * 8.0f + 6.0f * 4.0f);
}

TEST_CASE("backward: a shared gradient is not written to when a second one arrives") {
  Tensor a = leaf(1.0f), b = leaf(1.0f), c = leaf(1.0f);
  const Tensor left = add(a, b), right = add(b, c);  // AddBackward gives one tensor to both inputs
  backward(add(add(left, right), left));
  CHECK(a.grad().item() == 2.0f);
  CHECK(b.grad().item() == 3.0f);
  CHECK(c.grad().item() == 1.0f);
}

TEST_CASE("backward: leaves never share a gradient, nor one with an op that keeps it") {
  Tensor a = leaf(1.0f), b = leaf(1.0f);
  backward(add(a, b));  // one tensor to both
  a.grad().mutable_data()[0] = 7.0f;
  CHECK(b.grad().item() == 1.0f);

  struct Keeps final : Node {
    Tensor kept = Tensor::full({1}, 5.0f);
    const char* name() const override { return "Keeps"; }
    std::vector<Tensor> backward(const Tensor&) override { return {kept, kept}; }
  };
  Tensor c = leaf(1.0f);
  const Tensor twice = add(c, c);  // gets both, and then a third one
  Tensor loss = Tensor::full({1}, 0.0f);
  const auto keeps = std::make_shared<Keeps>();
  attach(loss, {twice, twice}, keeps);
  backward(add(loss, twice));
  CHECK(c.grad().item() == 22.0f);
  CHECK(keeps->kept.item() == 5.0f);
}

TEST_CASE("backward: gradients of two calls add up, and set_grad clears") {
  Tensor a = leaf(3.0f);
  backward(mul(a, a));
  backward(mul(a, a));
  CHECK(a.grad().item() == 12.0f);
  a.set_grad(Tensor());
  backward(mul(a, a));
  CHECK(a.grad().item() == 6.0f);
}

TEST_CASE("backward: inputs without requires_grad get none, detach cuts") {
  Tensor a = leaf(3.0f), constant = Tensor::full({1}, 4.0f);
  backward(mul(mul(a, constant), mul(a, a).detach()));
  CHECK(a.grad().item() == 36.0f);
  CHECK_FALSE(constant.grad().defined());
}

TEST_CASE("NoGradGuard: nothing is recorded while it lives") {
  Tensor a = leaf(3.0f);
  {
    const NoGradGuard guard;
    CHECK_FALSE(grad_enabled());
    CHECK_FALSE(mul(a, a).needs_grad());
    { const NoGradGuard inner; }
    CHECK_FALSE(grad_enabled());
  }
  CHECK(grad_enabled());
  CHECK(mul(a, a).needs_grad());
}

TEST_CASE("backward: errors") {
  Tensor a = Tensor::full({2}, 1.0f).set_requires_grad(true);
  CHECK_THROWS_AS(backward(add(a, a)), Error);                // not a scalar
  CHECK_THROWS_AS(backward(Tensor::full({1}, 1.0f)), Error);  // no history
  CHECK_THROWS_AS(backward(Tensor()), Error);

  Tensor x = leaf(3.0f);
  const Tensor shared = mul(x, x), y = add(shared, shared);
  backward(y);
  CHECK_THROWS_WITH_AS(
      backward(y),
      "[AddBackward] backward has run through this graph before: run the forward pass again",
      Error);
  CHECK_THROWS_AS(backward(add(shared, x)), Error);  // a part of the graph is spent
}

TEST_CASE("a graph of 200,000 nodes: backward and destruction do not recurse") {
  const int depth = 200000;
  g_live_nodes = 0;
  Tensor one = Tensor::full({1}, 1.0f);
  Tensor x = leaf(3.0f);
  Tensor y = x;
  for (int i = 0; i < depth; ++i) y = mul(y, one);
  CHECK(g_live_nodes == depth);
  SUBCASE("backward") {
    backward(y);
    CHECK(x.grad().item() == 1.0f);
    CHECK(g_live_nodes == 1);  // y's own
  }
  SUBCASE("destroyed without backward") {
    y = Tensor();
    CHECK(g_live_nodes == 0);
  }
  SUBCASE("destroyed without backward, each result also kept by a branch") {
    Tensor z = x;
    for (int i = 0; i < depth; ++i) z = mul(z, z);
    CHECK(g_live_nodes == 2 * depth);
    z = Tensor();
    y = Tensor();
    CHECK(g_live_nodes == 0);
  }
}

TEST_CASE("a node releases what it saved as soon as its backward has run") {
  // Looks at a node's life from inside the backward of the node before it.
  struct ProbeBackward final : Node {
    std::weak_ptr<Node> later;
    bool* released = nullptr;
    const char* name() const override { return "ProbeBackward"; }
    std::vector<Tensor> backward(const Tensor& grad_output) override {
      *released = later.expired();
      return {grad_output};
    }
  };
  Tensor x = leaf(3.0f);
  bool released = false;
  auto probe = std::make_shared<ProbeBackward>();
  probe->released = &released;
  Tensor middle = Tensor::full({1}, 3.0f);
  attach(middle, {x}, probe);
  Tensor late = mul(middle, middle);
  probe->later = late.grad_fn();
  const Tensor loss = add(late, late);
  late = Tensor();
  CHECK_FALSE(probe->later.expired());
  backward(loss);
  CHECK(released);
  CHECK(x.grad().item() == 12.0f);
}

TEST_CASE("the graph alone keeps no data: the result of an op that nobody saves is released") {
  trim_pool();
  const std::int64_t count = 1 << 20;
  Tensor x = Tensor::full({count}, 1.0f).set_requires_grad(true);
  Tensor y = x;
  for (int i = 0; i < 8; ++i) y = add(y, x);  // add saves nothing: at most two results live at once
  CHECK(pool_bytes() <= 4 * static_cast<std::size_t>(count) * sizeof(float));
  backward(weighted_sum(y, Tensor::full({count}, 1.0f)));
  CHECK(x.grad().data()[count - 1] == 9.0f);
}

TEST_CASE("gradcheck reports an op that saves a tensor with its history") {
  struct KeepingBackward final : Node {
    Tensor x;
    const char* name() const override { return "KeepingBackward"; }
    std::vector<Tensor> backward(const Tensor& grad_output) override { return {grad_output}; }
  };
  const auto keeping = [](const std::vector<Tensor>& in) {
    Tensor y = in[0].clone();
    if (should_record(in)) {
      auto node = std::make_shared<KeepingBackward>();
      node->x = in[0];
      attach(y, in, node);
    }
    return y;
  };
  const Verdict verdict = gradcheck(keeping, {randn({3}, 1)}, {.eps = 0.5});
  CHECK_FALSE(verdict);
  CHECK(verdict.reason.find("detach") != std::string::npos);
}

}  // namespace
}  // namespace octet
