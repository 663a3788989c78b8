#include <map>

#include "base/error.h"
#include "base/float_environment.h"
#include "nn/add_act.h"
#include "nn/concat.h"
#include "nn/conv_bn_act.h"
#include "nn/dropout.h"
#include "nn/flatten.h"
#include "nn/linear.h"
#include "nn/pool.h"
#include "nn/trace.h"
#include "onnx/export.h"
#include "onnx/graph_writer.h"
#include "onnx/layout.h"

namespace octet {
namespace {

class FloatExporter {
 public:
  FloatExporter(Module& model, const OnnxInfo& info) : writer_(info) {
    for (const NamedTensor& t : model.named_parameters()) state_[t.name] = t.tensor;
    for (const NamedTensor& t : model.named_buffers()) state_[t.name] = t.tensor;
  }

  std::vector<std::byte> run(const Trace& traced, const Shape& image) {
    writer_.input("image", kFloat, {image[2], image[0], image[1]});
    values_ = {{"image", {1, image[0], image[1], image[2]}, {}}};
    for (const TraceRecord& record : traced.records) {
      record_ = &record;
      const bool last = record.output == traced.output;
      Value made{last ? "logits" : record.name + "/output", record.result.shape(), {}};
      write(*record.leaf, made);
      values_.push_back(made);
      if (last)
        writer_.output(made.name, kFloat, {made.shape.dims().begin() + 1, made.shape.dims().end()});
    }
    return writer_.finish();
  }

 private:
  struct Value {
    std::string name;
    Shape shape;      // ours, with batch
    Shape flattened;  // [H, W, C] if it is flat in ONNX's order
  };

  const Value& in(std::size_t i = 0) const {
    return values_[static_cast<std::size_t>(record_->inputs[i])];
  }

  std::string weight(const std::string& name, bool conv) {
    const std::string full = record_->name + "." + name;
    const Tensor& t = state_.at(full);
    const std::span<const float> x(t.data(), static_cast<std::size_t>(t.numel()));
    if (conv)
      return writer_.constant(full, channels_first_shape(t.shape()), channels_first(x, t.shape()));
    const Shape& from = in().flattened;
    if (t.rank() == 2 && from.rank() == 3) {
      return writer_.constant(full, t.shape(),
                              channels_first(x, t.dim(0), from[0] * from[1], from[2]));
    }
    return writer_.constant(full, t.shape(), std::vector<float>(x.begin(), x.end()));
  }
  bool has(const std::string& name) const { return state_.count(record_->name + "." + name) > 0; }

  // Appends a node whose result is `result`, or an inner one of the leaf.
  pb::NodeProto& node(const char* op, const char* suffix, const std::vector<std::string>& inputs,
                      const std::string& result) {
    return writer_.node(op, record_->name + suffix, inputs, result);
  }
  std::string inner(const char* suffix) const { return record_->name + suffix; }

  void activate(Act act, const std::string& x, const std::string& result) {
    if (act == Act::kRelu) {
      node("Relu", "/relu", {x}, result);
      return;
    }
    const std::string low = writer_.constant<float>(inner("/relu6_min"), {}, {0.0f});
    const std::string high = writer_.constant<float>(inner("/relu6_max"), {}, {6.0f});
    node("Clip", "/relu6", {x, low, high}, result);
  }

  void windows(pb::NodeProto& n, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
    set_ints(n, "kernel_shape", {kernel, kernel});
    set_ints(n, "strides", {stride, stride});
    set_ints(n, "pads", {padding, padding, padding, padding});
  }

  void write(Leaf& leaf, Value& y) {
    if (const auto* conv = dynamic_cast<const ConvBnAct*>(&leaf)) return write_conv(*conv, y);
    if (const auto* linear = dynamic_cast<const Linear*>(&leaf)) return write_linear(*linear, y);
    if (const auto* add = dynamic_cast<const AddAct*>(&leaf)) return write_add(*add, y);
    if (const auto* max = dynamic_cast<const MaxPool2d*>(&leaf)) {
      return windows(node("MaxPool", "", {in().name}, y.name), max->options().kernel,
                     max->options().stride, max->options().padding);
    }
    if (const auto* average = dynamic_cast<const AvgPool2d*>(&leaf)) {
      pb::NodeProto& n = node("AveragePool", "", {in().name}, y.name);
      windows(n, average->options().kernel, average->options().stride, average->options().padding);
      return set_int(n, "count_include_pad", 1);
    }
    if (dynamic_cast<const GlobalAvgPool*>(&leaf) != nullptr) {
      node("GlobalAveragePool", "", {in().name}, y.name);
      return;
    }
    if (dynamic_cast<const Concat*>(&leaf) != nullptr) return write_concat(y);
    if (dynamic_cast<const Flatten*>(&leaf) != nullptr) return write_flatten(y);
    if (dynamic_cast<const Dropout*>(&leaf) != nullptr) {
      y.flattened = in().flattened;
      node("Identity", "", {in().name}, y.name);
      return;
    }
    throw Error(message("[", record_->name, "] has no ONNX form"));
  }

  void write_conv(const ConvBnAct& leaf, Value& y) {
    const ConvBnAct::Options& o = leaf.options();
    const bool norm = o.norm == Norm::kBatch;
    std::vector<std::string> stages{"/conv"};  // names of what the layer's steps give
    if (norm) stages.emplace_back("/norm");
    if (o.shortcut) stages.emplace_back("/sum");
    if (o.act != Act::kNone) stages.emplace_back("/act");
    std::size_t stage = 0;
    const auto next = [&] {
      const std::string name = stages[stage++];
      return stage == stages.size() ? y.name : record_->name + name;
    };

    std::vector<std::string> inputs{in().name, weight("weight", true)};
    if (has("bias")) inputs.push_back(weight("bias", false));
    std::string x = next();
    pb::NodeProto& conv = node("Conv", "", inputs, x);
    windows(conv, o.kernel, o.stride, o.padding);
    set_int(conv, "group", o.groups);
    if (norm) {
      std::vector<std::string> bn{x};
      for (const char* name : {"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"}) {
        bn.push_back(weight(name, false));
      }
      x = next();
      set_float(node("BatchNormalization", "/bn", bn, x), "epsilon", BatchNormOptions().eps);
    }
    if (o.shortcut) {
      const std::string sum = next();
      node("Add", "/add", {x, in(1).name}, sum);
      x = sum;
    }
    if (o.act != Act::kNone) activate(o.act, x, next());
  }

  void write_linear(const Linear& leaf, Value& y) {
    const bool acts = leaf.options().act != Act::kNone;
    std::vector<std::string> inputs{in().name, weight("weight", false)};
    if (has("bias")) inputs.push_back(weight("bias", false));
    const std::string x = acts ? inner("/linear") : y.name;
    set_int(node("Gemm", "", inputs, x), "transB", 1);
    if (acts) activate(leaf.options().act, x, y.name);
  }

  void write_add(const AddAct& leaf, Value& y) {
    check_channels_last("Add");
    const bool acts = leaf.options().act != Act::kNone;
    const std::string x = acts ? inner("/sum") : y.name;
    node("Add", "", {in(0).name, in(1).name}, x);
    if (acts) activate(leaf.options().act, x, y.name);
  }

  void write_concat(const Value& y) {
    check_channels_last("Concat");
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < record_->inputs.size(); ++i) parts.push_back(in(i).name);
    set_int(node("Concat", "", parts, y.name), "axis", 1);
  }

  // ONNX flattens channels first; the linear layer that follows takes that up in the order of its
  // columns.
  void write_flatten(Value& y) {
    const Shape& x = in().shape;
    if (x.rank() == 4 && x[1] * x[2] > 1 && x[3] > 1) y.flattened = {x[1], x[2], x[3]};
    set_int(node("Flatten", "", {in().name}, y.name), "axis", 1);
  }

  void check_channels_last(const char* op) const {
    for (std::size_t i = 0; i < record_->inputs.size(); ++i) {
      OCTET_CHECK(in(i).flattened.rank() == 0, "[", record_->name, "] is an ", op,
                  " of flattened maps, whose elements ONNX keeps in another order; only linear "
                  "layers can follow a flatten");
    }
  }

  GraphWriter writer_;
  std::map<std::string, Tensor> state_;
  std::vector<Value> values_;  // by the trace's numbers
  const TraceRecord* record_ = nullptr;
};

}  // namespace

std::vector<std::byte> export_onnx(Module& model, const Shape& image_shape, const OnnxInfo& info) {
  const FloatEnvironment environment;
  OCTET_CHECK(image_shape.rank() == 3, "[onnx] expects an image shape [H, W, C], got ",
              image_shape);
  for (const auto& [name, leaf] : named_leaves(model)) {
    OCTET_CHECK(!leaf->prepared(), "[", name,
                "] is prepared for quantization; export the float model, or the integer graph");
  }
  const Trace traced =
      trace(model, Tensor::zeros({1, image_shape[0], image_shape[1], image_shape[2]}));
  return FloatExporter(model, info).run(traced, image_shape);
}

}  // namespace octet
