#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "nn/module.h"

// Models as ONNX files for other programs (ONNX Runtime, OpenVINO, TensorRT): opset 13, IR version
// 7, channels first. The batch is the free dimension "N".
namespace octet {

inline constexpr int kOnnxOpset = 13;

// What integer export is made for.
enum class OnnxPreset {
  // uint8 activations with zero points, int32 biases: the graph's own codes, scales and rounding
  // places. Input "pixels": uint8 [N, C, H, W].
  kQdq,
  // int8 activations with zero point 0, float biases. An activation with zero point 128 keeps its
  // codes less 128; any other gets the symmetric scale that covers its range, max(255 - Z, Z) S /
  // 127: up to one bit coarser. Input "image": float32 [N, C, H, W], normalized as in training.
  kTensorRt,
};

struct OnnxInfo {
  std::string producer_version;  // of Octet
  std::string dataset = {};
  std::string model = {};
  std::vector<std::string> class_names = {};
};

// The integer graph in QDQ form: each op between DequantizeLinear and QuantizeLinear, int8 weights
// with one scale per channel. The tensor with the codes of a value has the value's name. Output:
// "logits", float32 [N, classes], the real numbers that the integer logits stand for.
// ONNX rounds halves to even, after a float product, and Octet halves up, after an exact one: a
// code may differ by 1 from op to op.
// Model, dataset and class names are the graph's. The graph must be valid. Same graph, same bytes.
std::vector<std::byte> export_onnx(const ir::Graph& graph, OnnxPreset preset, OnnxInfo info);

// How many activations of the graph kTensorRt gives a coarser scale.
int count_rescaled(const ir::Graph& graph);

// A float model, in evaluation mode: input "image" float32 [N, C, H, W], output "logits". Batch
// norm stays a node of its own, so that the file holds all state; its consumers fold it. Names of
// weights are the model's ("conv1.weight").
//   image_shape: [H, W, C]
// Throws Error that names the layer if ONNX has no form of it, or if the model is prepared for
// quantization.
std::vector<std::byte> export_onnx(Module& model, const Shape& image_shape, const OnnxInfo& info);

}  // namespace octet
