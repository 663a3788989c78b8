#include "onnx/import.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/float_environment.h"
#include "file/printable.h"
#include "file/read_file.h"
#include "onnx/importer.h"
#include "quant/fake_quantize.h"

namespace octet {
namespace {

constexpr std::uint64_t kMaxOnnxBytes = (std::uint64_t{1} << 31) - 1;

OnnxModel make(std::span<const std::byte> bytes, const Shape& image_shape) {
  const OnnxGraph graph = read_onnx_graph(bytes);
  Importer importer(graph, image_shape);
  importer.run();
  OnnxModel result{.model = nullptr,
                   .image_shape = importer.image_shape(),
                   .classes = importer.classes(),
                   .quantization = {},
                   .pixels = importer.pixels(),
                   .input_quantization = importer.input_quantization()};
  bool is_quantized = false;  // import's own layers know their weights' scales in any case
  for (const LayerSpec& layer : importer.layers()) {
    is_quantized =
        is_quantized || layer.activation || (!layer.weight_scale.empty() && !layer.is_added);
  }
  for (const LayerSpec& layer : importer.layers()) {
    if (!is_quantized || (layer.weight_scale.empty() && !layer.activation)) continue;
    result.quantization.push_back({layer.name, layer.weight_scale, layer.activation});
  }
  result.model = build_imported_model(std::move(importer.layers()));
  return result;
}

// One quantizer's buffers.
struct Quantizer {
  Tensor scale, zero_point, min_val, max_val;
};

// The codes that `scale` and `zero_point` reach.
void set(Quantizer& q, std::int64_t i, float scale, std::int32_t zero_point, QRange range) {
  q.scale.mutable_data()[i] = scale;
  q.zero_point.mutable_data<std::int32_t>()[i] = zero_point;
  q.min_val.mutable_data()[i] = scale * static_cast<float>(range.quant_min - zero_point);
  q.max_val.mutable_data()[i] = scale * static_cast<float>(range.quant_max - zero_point);
}

}  // namespace

OnnxModel parse_onnx(std::span<const std::byte> bytes, const std::string& source_name,
                     const Shape& image_shape) {
  const FloatEnvironment environment;
  try {
    return make(bytes, image_shape);
  } catch (const Error& error) {
    throw Error(message(printable(source_name), ": ", error.what()));
  }
}

// not fuzzed: the file system; parse_onnx is the reader
OnnxModel import_onnx(const std::string& path, const Shape& image_shape) {
  return parse_onnx(read_file(path, kMaxOnnxBytes), path, image_shape);
}

void apply_quantization(Module& prepared, const std::vector<LeafQuantization>& quantization) {
  std::map<std::string, Tensor> buffers;
  for (const NamedTensor& t : prepared.named_buffers()) buffers.emplace(t.name, t.tensor);
  std::map<std::string, Leaf*> leaves;
  for (const auto& [name, leaf] : named_leaves(prepared)) leaves.emplace(name, leaf);
  const auto find = [&](const std::string& name) -> std::optional<Quantizer> {
    if (buffers.count(name + ".scale") == 0) return std::nullopt;
    return Quantizer{buffers.at(name + ".scale"), buffers.at(name + ".zero_point"),
                     buffers.at(name + ".min_val"), buffers.at(name + ".max_val")};
  };
  for (const LeafQuantization& leaf : quantization) {
    OCTET_CHECK(leaves.count(leaf.leaf) == 1, "the model has no layer [", leaf.leaf,
                "], which the file quantizes");
    for (const FakeQuantize* f : leaves.at(leaf.leaf)->fake_quantizers()) {
      OCTET_CHECK(f->config().bits == 8, "[", leaf.leaf, "] has 8 bits in the file and ",
                  f->config().bits, " in the configuration; leave quantize.*.bits at 8");
    }
    if (leaf.activation) {
      std::optional<Quantizer> q = find(leaf.leaf + ".activation_fake_quant");
      if (q) set(*q, 0, leaf.activation->scale, leaf.activation->zero_point, kActivationRange);
    }
    if (leaf.weight_scale.empty()) continue;
    std::optional<Quantizer> q = find(leaf.leaf + ".weight_fake_quant");
    OCTET_CHECK(q.has_value(), "[", leaf.leaf, "] has no quantized weight in the prepared model");
    const auto given = static_cast<std::int64_t>(leaf.weight_scale.size());
    const std::int64_t channels = q->scale.numel();
    OCTET_CHECK(given == 1 || given == channels, "[", leaf.leaf, "] has ", given,
                " weight scales in the file and ", channels,
                " in the model; set quantize.weight.qscheme to per_channel_symmetric");
    for (std::int64_t c = 0; c < channels; ++c) {  // others quantize to all of int8
      set(*q, c, leaf.weight_scale[static_cast<std::size_t>(given == 1 ? 0 : c)], 0, {-128, 127});
    }
  }
}

}  // namespace octet
