#include "autograd/node.h"

#include <algorithm>
#include <atomic>
#include <queue>
#include <unordered_map>

#include "base/parallel.h"

namespace octet {
namespace {

thread_local bool g_grad_enabled = true;
std::atomic<std::uint64_t> g_next_creation{0};

// a += b, in place: `a` is a gradient that only the engine holds.
void accumulate(Tensor& a, const Tensor& b) {
  float* into = a.mutable_data();
  const float* from = b.data();
  const std::int64_t count = a.numel(), chunk = 1 << 14;
  parallel_for((count + chunk - 1) / chunk, [&](std::int64_t c) {
    const std::int64_t end = std::min(count, (c + 1) * chunk);
    for (std::int64_t i = c * chunk; i < end; ++i) into[i] += from[i];
  });
}

// A gradient on its way to a node; `owned` once the engine may add to it in place.
struct Pending {
  Tensor grad;
  bool owned = false;

  void add(const Tensor& more) {
    if (!grad.defined()) {
      grad = more;
      return;
    }
    if (!owned) grad = grad.clone();
    owned = true;
    accumulate(grad, more);
  }
};

}  // namespace

bool grad_enabled() { return g_grad_enabled; }

NoGradGuard::NoGradGuard() : previous_(g_grad_enabled) { g_grad_enabled = false; }

NoGradGuard::~NoGradGuard() { g_grad_enabled = previous_; }

bool should_record(const std::vector<Tensor>& inputs) {
  return g_grad_enabled &&
         std::any_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.needs_grad(); });
}

void attach(Tensor& result, std::vector<Tensor> inputs, std::shared_ptr<Node> node) {
  node->inputs = std::move(inputs);
  node->creation = g_next_creation.fetch_add(1, std::memory_order_relaxed);
  result.set_grad_fn(std::move(node));
}

void backward(const Tensor& loss) {
  OCTET_CHECK(loss.defined() && loss.numel() == 1 && loss.grad_fn() != nullptr,
              "[backward] needs a scalar that depends on a tensor with requires_grad");
  using Entry = std::shared_ptr<Node>;
  const auto earlier = [](const Entry& a, const Entry& b) { return a->creation < b->creation; };
  std::priority_queue<Entry, std::vector<Entry>, decltype(earlier)> ready(earlier);
  std::unordered_map<const Node*, Pending> pending;

  const auto route = [&](Tensor& target, const Tensor& grad) {
    if (const Entry node = target.grad_fn()) {
      const auto [it, is_new] = pending.try_emplace(node.get());
      it->second.add(grad);
      if (is_new) ready.push(node);
      return;
    }
    if (!target.grad().defined()) {
      target.set_grad(
          grad.clone());  // our own copy: the op may have handed out a tensor that it shares
      return;
    }
    Tensor sum = target.grad();
    accumulate(sum, grad);
  };

  Tensor root = loss;
  route(root, Tensor::full(loss.shape(), 1.0f));
  while (!ready.empty()) {
    Entry node = ready.top();
    ready.pop();
    const Tensor grad_output = pending.extract(node.get()).mapped().grad;
    const std::vector<Tensor> grads = node->backward(grad_output);
    std::vector<Tensor> inputs = std::move(node->inputs);
    node->inputs.clear();
    OCTET_CHECK(grads.size() == inputs.size(), "[", node->name(), "] backward gave ", grads.size(),
                " gradients for ", inputs.size(), " inputs");
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].needs_grad() && grads[i].defined()) route(inputs[i], grads[i]);
    }
  }
}

}  // namespace octet
