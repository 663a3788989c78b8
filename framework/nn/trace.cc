#include "nn/trace.h"

#include <unordered_map>
#include <utility>

#include "autograd/node.h"

namespace octet {
namespace {

class Tracer {
 public:
  explicit Tracer(const Tensor& input) { bind(input); }

  int id_of(const Tensor& value) const {
    const auto it = ids_.find(value.id());
    return it == ids_.end() ? -1 : it->second;
  }

  void record(Leaf& leaf, Inputs x, const Tensor& result) {
    const std::string name = leaf.full_name();
    for (const TraceRecord& r : trace_.records) {
      OCTET_CHECK(r.leaf != &leaf, "[", name,
                  "] is called twice in one forward; a layer is one node of the graph, so make two "
                  "layers of it");
    }
    TraceRecord r{&leaf, name, {}, -1, result, std::exchange(inner_, {})};
    for (const Tensor& t : x) r.inputs.push_back(id_of(t));
    r.output = bind(result);
    trace_.records.push_back(std::move(r));
  }

  void record_inner(std::string name, const Tensor& codes) {
    inner_.push_back({std::move(name), codes});
  }

  Trace finish(const Tensor& result) {
    trace_.output = result.defined() ? id_of(result) : -1;
    OCTET_CHECK(trace_.output > 0, "the model's result was not made by a leaf");
    return std::move(trace_);
  }

 private:
  // Kept alive, so that no later tensor gets the same identity.
  int bind(const Tensor& value) {
    kept_.push_back(value);
    ids_[value.id()] = next_;
    return next_++;
  }

  Trace trace_;
  std::vector<NamedTensor> inner_;  // of the call that is running
  std::unordered_map<const void*, int> ids_;
  std::vector<Tensor> kept_;
  int next_ = 0;
};

thread_local Tracer* g_tracer = nullptr;

// Installs a tracer and puts the model into evaluation mode, for one call.
class TraceScope {
 public:
  TraceScope(Module& model, Tracer& tracer) : previous_(g_tracer) {
    for (const auto& [name, module] : model.named_modules()) {
      modes_.emplace_back(module, module->is_training());
    }
    model.eval();
    g_tracer = &tracer;
  }
  ~TraceScope() {
    g_tracer = previous_;
    for (const auto& [module, training] : modes_) module->train(training);  // parents come first
  }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  Tracer* previous_;
  std::vector<std::pair<Module*, bool>> modes_;
  NoGradGuard no_grad_;
};

}  // namespace

Trace trace(Module& model, const Tensor& x) {
  const Tensor input = x.detach();
  Tracer tracer(input);
  const TraceScope scope(model, tracer);
  const Tensor result = model(input);
  return tracer.finish(result);
}

bool is_tracing() { return g_tracer != nullptr; }

void trace_inputs(const Leaf& leaf, Inputs x) {
  if (g_tracer == nullptr) return;
  for (const Tensor& t : x) {
    OCTET_CHECK(g_tracer->id_of(t) >= 0, "[", leaf.full_name(),
                "] reads a value that was made by a function outside a leaf; make that function a "
                "leaf (nn/leaf.h)");
  }
}

void trace_call(Leaf& leaf, Inputs x, const Tensor& result) {
  if (g_tracer != nullptr) g_tracer->record(leaf, x, result);
}

void trace_inner(const Leaf& leaf, const std::string& suffix, const Tensor& codes) {
  if (g_tracer != nullptr) g_tracer->record_inner(leaf.full_name() + "." + suffix, codes);
}

}  // namespace octet
