#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "onnx/graph_reader.h"
#include "onnx/layer_spec.h"

namespace octet {

// Turns the nodes of an ONNX graph into layers, one after the other. A tensor of the graph is a
// constant, or it is what a layer gives: real numbers, or between QuantizeLinear and
// DequantizeLinear their codes.
class Importer {
 public:
  // image_shape: [H, W, C] or rank 0
  Importer(const OnnxGraph& graph, const Shape& image_shape);

  // Throws Error that names the node.
  void run();

  const Shape& image_shape() const { return image_; }
  std::vector<LayerSpec>& layers() { return layers_; }
  std::int64_t classes() const { return classes_; }
  std::optional<QParams> pixels() const { return pixels_; }

 private:
  struct Value {
    int layer = kModelInput;
    Shape shape;      // without batch: [H, W, C] or [C]
    Shape flattened;  // [H, W, C] of the map whose elements stand in ONNX's order; rank 0: in ours
    bool is_sole = true;        // nothing else reads the layer's output, or this tensor
    std::optional<Grid> codes;  // set if these are codes
    // Set if the layer has another quantization, and this value was quantized again: what Concat
    // does with an input.
    std::optional<QParams> requantized;
  };

  // importer.cc: tensors, and nodes that compute on constants or leave no trace
  void read(const OnnxNode& node);
  bool read_constant_node(const OnnxNode& node);
  void read_cast(const OnnxNode& node);
  void read_shape(const OnnxNode& node);
  // A node makes a constant or a weight of so many elements. Few nodes can double a tensor so often
  // that it fills the memory; an honest file makes each of its own tensors a few times.
  void spend(const OnnxNode& node, std::int64_t elements);
  bool is_constant(const std::string& name) const { return constants_.count(name) > 0; }
  const Constant& constant(const OnnxNode& node, std::size_t i, const char* what) const;
  const Value& value(const OnnxNode& node, std::size_t i) const;
  // The value, which must be an image [H, W, C] or flat [C], of real numbers.
  const Value& image(const OnnxNode& node, std::size_t i) const;
  const Value& flat(const OnnxNode& node, std::size_t i) const;
  bool read_by_one(const std::string& name) const;
  // The node's output is its i-th input, whatever that is.
  void alias(const OnnxNode& node, std::size_t i = 0);
  // Appends a layer whose output is the node's. Its first inputs are the node's `inputs`.
  LayerSpec& append(const OnnxNode& node, LayerSpec::Kind kind, std::vector<std::size_t> inputs,
                    Shape shape, const std::string& weight_name = "");
  std::string unique(std::string name);
  // The layer that computes a value, seen through pools and flattens that no one else reads.
  LayerSpec* source_of(const Value& value);

  // importer_layers.cc
  void read_conv(const OnnxNode& node);
  void read_batch_norm(const OnnxNode& node);
  void read_gemm(const OnnxNode& node);
  void read_matmul(const OnnxNode& node);
  void append_linear(const OnnxNode& node, std::vector<float> weight, std::int64_t out,
                     const Constant& from, bool scales_are_rows);
  void read_add(const OnnxNode& node);
  void add_bias(const OnnxNode& node, std::size_t data, const Constant& bias);
  void read_concat(const OnnxNode& node);
  void read_activation(const OnnxNode& node, Act act);
  void read_clip(const OnnxNode& node);
  void read_softmax(const OnnxNode& node);

  // importer_pools.cc
  struct Window {
    Pool2dOptions options;
    std::int64_t kernel_h = 1, kernel_w = 1;
    std::int64_t out_h = 1, out_w = 1;
  };
  Window window(const OnnxNode& node, const Shape& map, std::vector<std::int64_t> kernel) const;
  void read_max_pool(const OnnxNode& node);
  void read_average_pool(const OnnxNode& node);
  void read_global_average_pool(const OnnxNode& node);
  void read_reduce_mean(const OnnxNode& node);
  void read_flatten(const OnnxNode& node);
  void read_reshape(const OnnxNode& node);
  void read_squeeze(const OnnxNode& node);
  void append_flatten(const OnnxNode& node);

  // importer_quant.cc
  Grid grid(const OnnxNode& node) const;
  void read_quantize(const OnnxNode& node);
  void read_dequantize(const OnnxNode& node);
  void clip_codes(const OnnxNode& node);
  // Whether the layer that computes the value now has this quantization.
  bool set_activation(const Value& value, QParams q);

  const OnnxGraph& graph_;
  Shape image_;
  std::int64_t classes_ = 0;
  std::optional<QParams> pixels_;
  std::map<std::string, Constant> constants_;
  std::int64_t budget_ = 1 << 16;  // elements that nodes may still make
  std::map<std::string, Value> values_;
  std::map<std::string, int> names_;  // of layers
  std::vector<LayerSpec> layers_;
};

}  // namespace octet
