#include "runtime/packed_model.h"

#include <algorithm>

#include "base/error.h"
#include "file/checked.h"
#include "runtime/executor.h"

namespace octet {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t to) { return (value + to - 1) / to * to; }

// eq. (7): the bias of one channel with the input's zero point folded in.
std::int32_t folded_bias(std::int32_t bias, std::int32_t zero_point,
                         std::span<const std::int8_t> weights) {
  std::int64_t sum = 0;
  for (const std::int64_t w : weights) sum += w;
  return static_cast<std::int32_t>(bias - zero_point * sum);  // validate: it fits
}

PackedWeights pack(const ir::Graph& graph, const ir::Node& node,
                   const kernels::GemmKernel& kernel) {
  const ir::Constant& weight = graph.constant(node, "weight");
  const auto elements = weight.as<std::int8_t>();
  const std::int64_t channels = weight.shape[0];
  PackedWeights p;
  if (const auto* conv = std::get_if<ir::QConv2d>(&node.op)) {
    p.groups = conv->groups;
    p.kernel_h = weight.shape[1];
    p.kernel_w = weight.shape[2];
  }
  p.n = channels / p.groups;
  p.k = static_cast<std::int64_t>(elements.size()) / channels;
  p.n_padded = round_up(p.n, kernel.nr);
  p.group_bytes = static_cast<std::size_t>(
      round_up(static_cast<std::int64_t>(kernels::packed_weight_bytes(kernel, p.n, p.k)), 64));
  const auto groups = static_cast<std::size_t>(p.groups);
  p.weights = AlignedBuffer(checked_mul(p.group_bytes, groups, "packed weights"));
  p.vectors = AlignedBuffer(checked_mul(3 * sizeof(std::int32_t) * groups,
                                        static_cast<std::size_t>(p.n_padded), "packed weights"));

  const auto bias = graph.constant(node, "bias").as<std::int32_t>();
  const auto multiplier = graph.constant(node, "multiplier").as<std::int32_t>();
  const auto shift = graph.constant(node, "shift").as<std::int8_t>();
  const std::int32_t zero_point = graph.value(node.inputs[0]).qparams.zero_point;
  const auto taps = static_cast<std::size_t>(p.k);
  auto* vectors = p.vectors.as<std::int32_t>();
  const std::int64_t all = p.groups * p.n_padded;
  std::fill_n(vectors, 3 * all, 0);
  for (std::int64_t g = 0; g < p.groups; ++g) {
    const std::size_t first = static_cast<std::size_t>(g * p.n);
    kernels::pack_weights(kernel, elements.data() + first * taps, p.n, p.k,
                          p.weights.data() + static_cast<std::size_t>(g) * p.group_bytes);
    for (std::int64_t j = 0; j < p.n; ++j) {
      const std::size_t c = first + static_cast<std::size_t>(j);
      std::int32_t* out = vectors + g * p.n_padded + j;
      out[0] = folded_bias(bias[c], zero_point, elements.subspan(c * taps, taps));
      out[all] = multiplier[c];
      out[2 * all] = shift[c];
      p.all_shifts_zero = p.all_shifts_zero && shift[c] == 0;
    }
  }
  return p;
}

}  // namespace

kernels::GemmArgs PackedWeights::gemm_args(std::int64_t group) const {
  const auto* vector = vectors.as<std::int32_t>() + group * n_padded;
  const std::int64_t all = groups * n_padded;
  kernels::GemmArgs args;
  args.n = n;
  args.k = k;
  args.packed_w = weights.data() + static_cast<std::size_t>(group) * group_bytes;
  args.epilogue.bias = vector;
  args.epilogue.multiplier = vector + all;
  args.epilogue.shift = vector + 2 * all;
  args.epilogue.all_shifts_zero = all_shifts_zero;
  return args;
}

std::shared_ptr<const PackedModel> pack_model(const ir::Graph& graph, Isa isa) {
  if (!cpu_supports(isa)) {
    throw UsageError(message("this CPU does not have \"", name_of(isa), "\""));
  }
  graph.validate();
  auto model = std::make_shared<PackedModel>();
  model->kernel = &kernels::select_gemm(isa);
  model->weights.resize(graph.nodes.size());
  model->graph = graph;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const ir::Node& node = graph.nodes[i];
    if (graph.constants.count(node.name + ".weight") == 0) continue;
    model->weights[i] = pack(graph, node, *model->kernel);
    for (const char* role : {".weight", ".bias", ".weight_scale", ".multiplier", ".shift"}) {
      model->graph.constants.erase(node.name + role);
    }
  }
  return model;
}

}  // namespace octet
