#include "autograd/node.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <queue>
#include <unordered_map>

#include "base/float_environment.h"
#include "base/parallel.h"

namespace octet {
namespace {

thread_local bool g_grad_enabled = true;
std::atomic<std::uint64_t> g_next_creation{0};

// Calls body(begin, end) for fixed chunks of [0, count), in parallel.
template <class Body>
void for_each_chunk(std::int64_t count, const Body& body) {
  const std::int64_t chunk = 1 << 14;
  parallel_for((count + chunk - 1) / chunk,
               [&](std::int64_t c) { body(c * chunk, std::min(count, (c + 1) * chunk)); });
}

Tensor sum_of(const Tensor& a, const Tensor& b) {
  Tensor result = Tensor::empty(a.shape());
  float* sum = result.mutable_data();
  const float *x = a.data(), *y = b.data();
  for_each_chunk(a.numel(), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sum[i] = x[i] + y[i];
  });
  return result;
}

// a += b: only where nobody else relies on a's data.
void add_in_place(Tensor a, const Tensor& b) {
  float* sum = a.mutable_data();
  const float* y = b.data();
  for_each_chunk(a.numel(), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sum[i] += y[i];
  });
}

// Adds a gradient to those that came before it, in their memory where no one else sees it: an op
// may have handed out one tensor twice, or one that it keeps.
void accumulate(Tensor& sum, Tensor more) {
  if (!sum.defined()) {
    sum = std::move(more);
  } else if (sum.is_shared()) {
    sum = sum_of(sum, more);
  } else {
    add_in_place(sum, more);
  }
}

void add_to_leaf(Tensor& leaf, Tensor grad) {
  if (const Tensor sum = leaf.grad(); sum.defined()) {
    add_in_place(sum, grad);
  } else {
    leaf.set_grad(grad.is_shared() ? grad.clone() : std::move(grad));
  }
}

}  // namespace

bool grad_enabled() { return g_grad_enabled; }

NoGradGuard::NoGradGuard() : previous_(g_grad_enabled) { g_grad_enabled = false; }

NoGradGuard::~NoGradGuard() { g_grad_enabled = previous_; }

bool should_record(const std::vector<Tensor>& inputs) {
  return g_grad_enabled &&
         std::any_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.needs_grad(); });
}

Node::~Node() {
  // The graph behind this node may be a chain of any length. The outermost destructor takes it
  // apart in a loop; those that it sets off hand their edges to it.
  thread_local std::vector<Edge>* draining = nullptr;
  if (draining != nullptr) {
    std::move(inputs.begin(), inputs.end(), std::back_inserter(*draining));
    return;
  }
  std::vector<Edge> edges = std::move(inputs);
  draining = &edges;
  while (!edges.empty()) {
    const Edge last = std::move(edges.back());
    edges.pop_back();
  }
  draining = nullptr;
}

void attach(Tensor& result, const std::vector<Tensor>& inputs, std::shared_ptr<Node> node) {
  node->inputs.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    Edge edge;
    if (input.needs_grad()) edge.node = input.grad_fn();
    if (input.needs_grad() && edge.node == nullptr) edge.leaf = input;
    node->inputs.push_back(std::move(edge));
  }
  node->creation = g_next_creation.fetch_add(1, std::memory_order_relaxed);
  result.set_grad_fn(std::move(node));
}

void backward(const Tensor& loss) {
  const FloatEnvironment environment;
  OCTET_CHECK(loss.defined() && loss.numel() == 1 && loss.grad_fn() != nullptr,
              "[backward] needs a scalar that depends on a tensor with requires_grad");
  using Entry = std::shared_ptr<Node>;
  const auto earlier = [](const Entry& a, const Entry& b) { return a->creation < b->creation; };
  std::priority_queue<Entry, std::vector<Entry>, decltype(earlier)> ready(earlier);
  std::unordered_map<const Node*, Tensor> pending;

  const auto route = [&](Edge& to, Tensor grad) {
    if (to.node == nullptr) {
      add_to_leaf(to.leaf, std::move(grad));
      return;
    }
    const auto [it, is_new] = pending.try_emplace(to.node.get());
    accumulate(it->second, std::move(grad));
    if (is_new) ready.push(to.node);
  };

  Edge root{loss.grad_fn(), Tensor()};
  route(root, Tensor::full(loss.shape(), 1.0f));
  root.node.reset();
  while (!ready.empty()) {
    const Entry node = ready.top();
    ready.pop();
    OCTET_CHECK(!node->done, "[", node->name(),
                "] backward has run through this graph before: run the forward pass again");
    std::vector<Tensor> grads;
    {
      const Tensor grad_output = pending.extract(node.get()).mapped();
      const auto sum = pending.find(node->inputs.empty() ? nullptr : node->inputs[0].node.get());
      if (sum != pending.end() && !sum->second.is_shared()) node->take_sum(sum->second);
      grads = node->backward(grad_output);
    }
    node->done = true;
    std::vector<Edge> inputs = std::move(node->inputs);
    node->inputs.clear();
    OCTET_CHECK(grads.size() == inputs.size(), "[", node->name(), "] backward gave ", grads.size(),
                " gradients for ", inputs.size(), " inputs");
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].needs_grad() && grads[i].defined()) route(inputs[i], std::move(grads[i]));
    }
  }
}

}  // namespace octet
