#include "eval/export_onnx.h"

#include <iostream>

#include "base/error.h"
#include "file/atomic_write.h"
#include "octet_version.h"

namespace octet {

OnnxPreset onnx_preset_from_name(const std::string& name) {
  if (name == "qdq") return OnnxPreset::kQdq;
  if (name == "tensorrt") return OnnxPreset::kTensorRt;
  throw UsageError(message("--onnx-preset is qdq or tensorrt, got \"", name, "\""));
}

void export_int8_onnx(const ir::Graph& graph, const OnnxRequest& request) {
  const OnnxPreset preset = request.preset.value_or(OnnxPreset::kQdq);
  const std::vector<std::byte> bytes =
      export_onnx(graph, preset, OnnxInfo{.producer_version = kVersion});
  atomic_write(request.file, bytes);
  std::cout << "wrote " << request.file << ": " << bytes.size() << " bytes, opset " << kOnnxOpset;
  if (preset == OnnxPreset::kQdq) {
    std::cout << ", QDQ, uint8 activations\n"
              << "input \"pixels\" [N, C, H, W]; codes differ by at most 1 per op, for ONNX rounds "
                 "halves to even\n";
    return;
  }
  std::cout << ", QDQ, int8 activations with zero point 0\n"
            << "input \"image\" [N, C, H, W], float32, normalized as in training\n";
  const int rescaled = count_rescaled(graph);
  if (rescaled == 0) return;
  std::cout << "note: " << rescaled << " activations have no zero point of 128 and got a coarser, "
            << "symmetric scale; to keep every code, train with\n"
            << "      quantize.activation.qscheme: per_tensor_symmetric\n";
}

void export_float_onnx(const RunFiles& files, const DatasetSplits& data,
                       const OnnxRequest& request) {
  if (request.preset) {
    throw UsageError("--onnx-preset is for integer models; with --fp32, leave it out");
  }
  const auto model = load_float_model(files, data);
  const std::vector<std::byte> bytes =
      export_onnx(*model, data.test->image_shape(),
                  OnnxInfo{.producer_version = kVersion,
                           .dataset = files.config->data.name,
                           .model = files.config->model.name,
                           .class_names = data.test->class_names()});
  atomic_write(request.file, bytes);
  std::cout << "wrote " << request.file << ": " << bytes.size() << " bytes, opset " << kOnnxOpset
            << ", float32\ninput \"image\" [N, C, H, W], normalized as in training\n";
}

}  // namespace octet
