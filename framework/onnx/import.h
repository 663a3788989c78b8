#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/leaf.h"

// ONNX models as leaves: a float graph, or one in QDQ form, as PyTorch's exporter, ONNX Runtime's
// quantizer and our own export write them. What they become is an ordinary float model; preparing,
// calibrating, training and converting it is nothing special.
namespace octet {

// How one leaf of a QDQ file quantizes.
struct LeafQuantization {
  std::string leaf;
  std::vector<float> weight_scale;    // one, or one per output channel; empty: no weights, or float
  std::optional<QParams> activation;  // of its output
};

struct OnnxModel {
  std::unique_ptr<Module> model;  // with the file's weights, in evaluation mode
  Shape image_shape;              // [H, W, C]
  std::int64_t classes = 0;
  std::vector<LeafQuantization> quantization;  // empty for a float file
  // Of a model that reads uint8 pixels: the real numbers they stand for.
  std::optional<QParams> pixels;
  // How it quantizes its input: the same, or of a float input.
  std::optional<QParams> input_quantization;
};

// The model of a file: what ONNX Runtime computes, or an error. Layers are named as their weights
// ("conv1" of "conv1.weight"), or as their nodes. Batch norm, biases, ReLU and Clip(0, 6) become
// part of the layer before where nothing else reads that, and otherwise a layer of their own.
//   image_shape: [H, W, C]; rank 0: as the file says. Needed where the file leaves extents open.
// int8 activations come in as uint8, code and zero point plus 128. Weights must be symmetric.
// Throws Error that starts with the file's name and names node and reason: an op that no leaf
// computes, an attribute that its opset does not have, external data, a graph with a cycle or a
// dangling value, shapes that do not fit, a truncated file.
OnnxModel import_onnx(const std::string& path, const Shape& image_shape = {});
OnnxModel parse_onnx(std::span<const std::byte> bytes, const std::string& source_name,
                     const Shape& image_shape = {});

// Sets scales, zero points and ranges of a prepared model to those of the file. The quantizers that
// the file says nothing of stay as they are; so does that of the logits, which have none.
// Throws Error if the model lacks a leaf of the file, shares a scale where the file has several, or
// is prepared for fewer than 8 bits.
void apply_quantization(Module& prepared, const std::vector<LeafQuantization>& quantization);

}  // namespace octet
