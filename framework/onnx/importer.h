#pragma once

#include <limits>
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
//
// A layer has one activation and one quantizer, and everyone who reads it reads the result. Nodes
// behind a layer (bias, batch norm, ReLU) become part of it only where nothing reads what is in
// between; elsewhere they become a layer of their own. Quantization is noted with each reader, and
// settled in the end, when all readers of a layer are known.
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
  std::optional<QParams> input_quantization() const { return input_q_; }

 private:
  // Stands for the batch in the sizes that a Shape node gives; Reshape copies it.
  static constexpr std::int64_t kBatch = std::numeric_limits<std::int64_t>::min();

  struct Value {
    int layer = kModelInput;
    Shape shape;      // without batch: [H, W, C] or [C]
    Shape flattened;  // [H, W, C] of the map whose elements stand in ONNX's order; rank 0: in ours
    bool is_sole = true;        // nothing else reads the layer's output, or this tensor
    std::optional<Grid> codes;  // set if these are codes
    std::optional<QParams> q;   // how the layer's output has been quantized on the way here
    // How it was then quantized again, otherwise: that takes a layer of its own.
    std::optional<QParams> requantized;
    bool off_grid = false;        // cut at a number that is no code, since it was quantized
    bool is_probability = false;  // behind a Softmax, which is left out
  };

  // importer.cc: tensors and layers
  void read(const OnnxNode& node);
  [[noreturn]] void refuse_op(const OnnxNode& node) const;
  void read_output();
  // A node makes a constant or a weight of so many elements. Few nodes can double a tensor so often
  // that it fills the memory; an honest file makes each of its own tensors a few times.
  void spend(const OnnxNode& node, std::int64_t elements);
  bool is_constant(const std::string& name) const { return constants_.count(name) > 0; }
  const Constant& constant(const OnnxNode& node, std::size_t i, const char* what) const;
  const Value& value(const OnnxNode& node, std::size_t i) const;
  // The value as a layer reads it: real numbers, quantized at most once; is_sole says whether the
  // node is the only one that reads what the layer gives.
  Value take(const OnnxNode& node, std::size_t i);
  // The same, and it must be an image [H, W, C] or flat [C].
  Value image(const OnnxNode& node, std::size_t i);
  Value flat(const OnnxNode& node, std::size_t i);
  Value with_sole(const OnnxNode& node, std::size_t i) const;
  bool read_by_one(const std::string& name) const;
  // The node's output is its i-th input, whatever that is.
  void alias(const OnnxNode& node, std::size_t i = 0);
  // Appends a layer that reads the values and whose output is the node's.
  LayerSpec& append(const OnnxNode& node, LayerSpec::Kind kind, const std::vector<Value>& inputs,
                    Shape shape, const std::string& weight_name = "");
  // Appends one for nobody's output yet; returns its index.
  int append_layer(const std::string& what, const std::string& name, LayerSpec::Kind kind,
                   const std::vector<Value>& inputs);
  std::string unique(std::string name);
  // The layer that computes a value, seen through pools and flattens that no one else reads. Null
  // if something else reads it, or it is the model's input.
  LayerSpec* source_of(const Value& value);
  // The value's layer if it is a convolution or linear layer of which nothing is known yet but its
  // weights: no activation, no quantization, no other reader. Null otherwise.
  LayerSpec* weights_of(const Value& value);

  // importer_constants.cc: nodes that compute on constants
  bool read_constant_node(const OnnxNode& node);
  void read_constant_value(const OnnxNode& node);
  void read_cast(const OnnxNode& node);
  void read_shape(const OnnxNode& node);
  // The i-th input as a list of sizes or axes.
  std::vector<std::int64_t> sizes(const OnnxNode& node, std::size_t i, const char* what) const;

  // importer_layers.cc: layers with weights, adds and concats
  void read_conv(const OnnxNode& node);
  void read_batch_norm(const OnnxNode& node);
  void read_gemm(const OnnxNode& node);
  void read_matmul(const OnnxNode& node);
  void append_linear(const OnnxNode& node, std::vector<float> weight, std::int64_t out,
                     const Constant& from, bool scales_are_rows);
  void read_add(const OnnxNode& node);
  void add_constant(const OnnxNode& node, std::size_t data, const Constant& c);
  // One number per channel (per element, of a flat value), as the node broadcasts the constant.
  static std::vector<float> broadcast(const OnnxNode& node, const Constant& c, const Value& x,
                                      const char* what);
  void read_concat(const OnnxNode& node);

  // importer_act.cc: what follows a layer
  // scale[c] x + shift[c], then act, as a layer of its own: a convolution of 1 x 1 with as many
  // groups as channels, or a linear layer with a diagonal.
  void append_affine(const OnnxNode& node, const Value& x, const std::vector<float>& scale,
                     const std::vector<float>& shift, Act act);
  void read_activation(const OnnxNode& node, Act act);
  void read_clip(const OnnxNode& node);
  // A clamp of codes is the activation of the layer that made them.
  void clip_codes(const OnnxNode& node);
  void read_dropout(const OnnxNode& node);
  void read_softmax(const OnnxNode& node);
  // The logits of a model must come from a linear layer without activation.
  void append_head(const Value& logits);

  // importer_pools.cc
  struct Window {
    Pool2dOptions options;
    std::int64_t kernel_h = 1, kernel_w = 1;
    std::int64_t stride = 1;
    std::int64_t top = 0, left = 0, bottom = 0, right = 0;  // padding
    std::int64_t out_h = 1, out_w = 1;
  };
  Window window(const OnnxNode& node, const Shape& map, std::vector<std::int64_t> kernel) const;
  // The same, which must be square with one padding on all four sides.
  Window square_window(const OnnxNode& node, const Shape& map) const;
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
  // Gives each layer the quantizer that its readers ask for.
  void settle_quantization();

  const OnnxGraph& graph_;
  Shape image_;
  std::int64_t classes_ = 0;
  std::optional<QParams> pixels_, input_q_;
  std::map<std::string, Constant> constants_;
  std::int64_t budget_ = 1 << 16;  // elements that nodes may still make
  std::map<std::string, Value> values_;
  std::map<std::string, int> names_;  // of layers
  std::vector<LayerSpec> layers_;
};

}  // namespace octet
