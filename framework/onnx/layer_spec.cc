#include "onnx/layer_spec.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "nn/add_act.h"
#include "nn/concat.h"
#include "nn/flatten.h"

namespace octet {
namespace {

using Kind = LayerSpec::Kind;

// The leaves of an ONNX graph, and which reads which.
class ImportedModel final : public Module {
 public:
  void append(const LayerSpec& spec) { steps_.push_back({&make(spec), spec.inputs}); }

 private:
  struct Step {
    Leaf* leaf;
    std::vector<int> inputs;
  };

  Leaf& make(const LayerSpec& s) {
    switch (s.kind) {
      case Kind::kConv:
        return add<ConvBnAct>(s.name, s.conv);
      case Kind::kLinear:
        return add<Linear>(s.name, s.linear);
      case Kind::kAdd:
        return add<AddAct>(s.name, {.act = s.act});
      case Kind::kConcat:
        return add<Concat>(s.name);
      case Kind::kMaxPool:
        return add<MaxPool2d>(s.name, s.pool);
      case Kind::kAvgPool:
        return add<AvgPool2d>(s.name, s.pool);
      case Kind::kGlobalAvgPool:
        return add<GlobalAvgPool>(s.name);
      case Kind::kFlatten:
        return add<Flatten>(s.name);
    }
    // not fuzzed: all kinds are listed above
    throw Error("no such layer");
  }

  Tensor forward(const Tensor& x) override {
    std::vector<Tensor> values;
    for (const Step& step : steps_) {
      std::vector<Tensor> inputs;
      for (const int i : step.inputs) {
        inputs.push_back(i == kModelInput ? x : values[static_cast<std::size_t>(i)]);
      }
      values.push_back(step.leaf->call(inputs));
    }
    return values.back();
  }

  std::vector<Step> steps_;
};

void fill(const std::map<std::string, Tensor>& state, const std::string& name,
          const std::vector<float>& values) {
  const auto found = state.find(name);
  if (found == state.end()) return;
  Tensor tensor = found->second;
  OCTET_CHECK(tensor.numel() == static_cast<std::int64_t>(values.size()), "[", name, "] has ",
              tensor.shape(), " elements, the file ", values.size());
  std::copy(values.begin(), values.end(), tensor.mutable_data());
}

}  // namespace

bool takes_activation(const LayerSpec& layer) {
  return layer.act == Act::kNone &&
         (layer.kind == Kind::kConv || layer.kind == Kind::kLinear || layer.kind == Kind::kAdd);
}

std::unique_ptr<Module> build_imported_model(std::vector<LayerSpec> layers) {
  auto model = std::make_unique<ImportedModel>();
  for (LayerSpec& s : layers) {
    s.conv.norm = s.gamma.empty() ? Norm::kNone : Norm::kBatch;
    s.conv.act = s.linear.act = s.act;
    s.conv.bias = s.linear.bias = !s.bias.empty();
    model->append(s);
  }
  std::map<std::string, Tensor> state;
  for (const NamedTensor& t : model->named_parameters()) state.emplace(t.name, t.tensor);
  for (const NamedTensor& t : model->named_buffers()) state.emplace(t.name, t.tensor);
  for (const LayerSpec& s : layers) {
    if (s.weight.empty()) continue;
    fill(state, s.name + ".weight", s.weight);
    fill(state, s.name + ".bias", s.bias);
    fill(state, s.name + ".bn.weight", s.gamma);
    fill(state, s.name + ".bn.bias", s.beta);
    fill(state, s.name + ".bn.running_mean", s.mean);
    fill(state, s.name + ".bn.running_var", s.var);
  }
  model->eval();
  return model;
}

}  // namespace octet
