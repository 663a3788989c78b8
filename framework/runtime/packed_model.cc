#include "runtime/packed_model.h"

#include <algorithm>

#include "base/error.h"
#include "base/float_environment.h"
#include "base/integer_math.h"
#include "file/checked.h"
#include "ir/weight_sums.h"
#include "kernels/u8s8/depthwise.h"
#include "runtime/executor.h"

namespace octet {
namespace {

ConvShape conv_shape(const ir::Graph& graph, const ir::Node& node, const Shape& weight) {
  const Shape &x = graph.value(node.inputs[0]).shape, &y = graph.value(node.output).shape;
  const auto* op = std::get_if<ir::QConv2d>(&node.op);
  if (op == nullptr) return {.c = x[0]};
  return {x[0], x[1], x[2], weight[1], weight[2], op->stride, op->padding, op->groups, y[0], y[1]};
}

// One channel's sums of weights over the taps above and left of each place between taps, so that
// any window of taps takes four of them.   weights: [kernel_h, kernel_w, channels]
//   returns [kernel_h + 1, kernel_w + 1]
std::vector<std::int64_t> tap_sums(std::span<const std::int8_t> weights, const ConvShape& shape) {
  const auto h = static_cast<std::size_t>(shape.kernel_h),
             w = static_cast<std::size_t>(shape.kernel_w), line = w + 1;
  std::vector<std::int64_t> sums((h + 1) * line);
  const std::size_t channels = weights.size() / (h * w);
  for (std::size_t row = 0; row < h; ++row) {
    std::int64_t in_row = 0;
    for (std::size_t column = 0; column < w; ++column) {
      in_row += ir::weight_sums(weights.first(channels)).sum;
      weights = weights.subspan(channels);
      sums[(row + 1) * line + column + 1] = sums[row * line + column + 1] + in_row;
    }
  }
  return sums;
}

// eq. (7): the bias of one channel for the pixels of a class, with what each of their taps adds for
// its zero point folded in. Modulo 2^32, as the sums are (gemm.h).
std::int32_t folded_bias(std::int32_t bias, std::int32_t zero_point, const TapLists::Class& c,
                         const ConvShape& shape, std::span<const std::int64_t> sums) {
  const auto above = [&](std::int64_t row, std::int64_t column) {
    return sums[static_cast<std::size_t>(row * (shape.kernel_w + 1) + column)];
  };
  const std::int64_t top = c.rows.tap, bottom = top + c.rows.count;
  const std::int64_t left = c.columns.tap, right = left + c.columns.count;
  const bool none =
      c.rows.count == 0 || c.columns.count == 0;  // then `tap` may lie behind the last
  const std::int64_t sum =
      none ? 0 : above(bottom, right) - above(bottom, left) - above(top, right) + above(top, left);
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(bias - zero_point * sum));
}

// Each channel's weights for the left and for the right of two neighbouring pixels, in columns 8
// apart: rows of one tap more, whose last or first meets a zero.
//   weights: [n, kernel_h, (kernel_w - 1) * channels], kernel_w that of the folded `shape`
std::vector<std::int8_t> folded_weights(std::span<const std::int8_t> weights, std::int64_t n,
                                        const ConvShape& shape) {
  const std::int64_t wide = shape.kernel_w * shape.c, row = wide - shape.c;
  std::vector<std::int8_t> folded(static_cast<std::size_t>(16 * shape.kernel_h * wide));
  for (std::int64_t j = 0; j < n; ++j) {
    for (std::int64_t y = 0; y < shape.kernel_h; ++y) {
      const auto from = weights.begin() + (j * shape.kernel_h + y) * row;
      std::copy_n(from, row, folded.begin() + (j * shape.kernel_h + y) * wide);
      std::copy_n(from, row, folded.begin() + ((j + 8) * shape.kernel_h + y) * wide + shape.c);
    }
  }
  return folded;
}

// The weights of joined groups (TapLists::joined): zeros meet the activations of the others.
//   weights: [n, taps, channels], n in groups of `outputs`; returns [n, taps, joined * channels]
std::vector<std::int8_t> joined_weights(std::span<const std::int8_t> weights, std::int64_t n,
                                        std::int64_t outputs, std::int64_t taps,
                                        std::int64_t joined) {
  const std::int64_t channels = static_cast<std::int64_t>(weights.size()) / (n * taps);
  std::vector<std::int8_t> wide(weights.size() * static_cast<std::size_t>(joined));
  for (std::int64_t j = 0; j < n; ++j) {
    const std::int64_t place = j / outputs % joined;
    for (std::int64_t row = j * taps; row < (j + 1) * taps; ++row) {
      std::copy_n(weights.begin() + row * channels, channels,
                  wide.begin() + (row * joined + place) * channels);
    }
  }
  return wide;
}

// PackedWeights::whole_map, where it takes fewer tiles. Kernels that copy their rows do so for each
// class anyway.
std::optional<TapLists> whole_map_of(const kernels::GemmKernel& kernel, const ConvShape& shape,
                                     std::int64_t out_channels, const TapLists& taps) {
  if (taps.copied || taps.classes.size() == 1 || taps.shape.groups > 1 || taps.depthwise ||
      kernel.copied_bytes > 0) {
    return std::nullopt;
  }
  for (const TapLists::Class& c : taps.classes) {
    if (!c.has_all_taps(taps.shape) || c.pixel_count >= kernel.mr) continue;
    TapLists whole(kernel, shape, out_channels, false, true);
    whole.classes[0].bias = c.bias;
    return whole;
  }
  return std::nullopt;
}

PackedWeights pack(const ir::Graph& graph, const ir::Node& node, const kernels::GemmKernel& kernel,
                   bool pooled) {
  const ir::Constant& weight = graph.constant(node, "weight");
  auto elements = weight.as<std::int8_t>();
  PackedWeights p;
  p.taps = TapLists(kernel, conv_shape(graph, node, weight.shape), weight.shape[0], pooled);
  if (!pooled) {
    p.whole_map =
        whole_map_of(kernel, conv_shape(graph, node, weight.shape), weight.shape[0], p.taps);
  }
  const ConvShape& shape = p.taps.shape;
  const auto taps = static_cast<std::size_t>(p.taps.packed.k);
  p.n = weight.shape[0] / shape.groups;
  const bool folded = p.taps.pool == kernels::Pool::kFolded;
  const std::int64_t columns = folded ? 16 : p.n;
  std::vector<std::int8_t> changed;
  if (folded) elements = changed = folded_weights(elements, p.n, shape);
  if (p.taps.joined > 1) {
    elements = changed = joined_weights(elements, weight.shape[0], p.n / p.taps.joined,
                                        shape.kernel_h * shape.kernel_w, p.taps.joined);
  }
  p.n_padded = round_up(columns, kernel.nr);
  const std::size_t packed_bytes =
      p.taps.pooled_conv != nullptr
          ? kernels::packed_pooled_conv_bytes(*p.taps.pooled_conv, shape.kernel_h,
                                              shape.kernel_w * shape.c)
      : p.taps.depthwise ? kernels::packed_depthwise_bytes(kernel, p.n, p.taps.packed.k)
                         : kernels::packed_weight_bytes(kernel, columns, p.taps.packed);
  p.column_bytes =
      p.taps.depthwise
          ? kernel.kr * static_cast<std::int64_t>(kernels::depthwise_weight_bytes(kernel))
          : p.taps.packed.panel_k();
  p.group_bytes = static_cast<std::size_t>(round_up(static_cast<std::int64_t>(packed_bytes), 64));
  const auto groups = static_cast<std::size_t>(shape.groups), classes = p.taps.classes.size();
  p.weights = AlignedBuffer(checked_mul(p.group_bytes, groups, "packed weights"));
  p.vectors = AlignedBuffer(checked_mul((2 + classes) * sizeof(std::int32_t) * groups,
                                        static_cast<std::size_t>(p.n_padded), "packed weights"));

  const auto bias = graph.constant(node, "bias").as<std::int32_t>();
  const auto multiplier = graph.constant(node, "multiplier").as<std::int32_t>();
  const auto shift = graph.constant(node, "shift").as<std::int8_t>();
  const std::int32_t zero_point =
      graph.value(node.inputs[0]).qparams.zero_point - kernel.activation_offset;
  auto* vectors = p.vectors.as<std::int32_t>();
  const std::int64_t all = shape.groups * p.n_padded;
  std::fill_n(vectors, (2 + static_cast<std::int64_t>(classes)) * all, 0);
  for (std::int64_t g = 0; g < shape.groups; ++g) {
    const std::size_t first = static_cast<std::size_t>(g * p.n);
    std::byte* to = p.weights.data() + static_cast<std::size_t>(g) * p.group_bytes;
    if (p.taps.pooled_conv != nullptr) {
      kernels::pack_pooled_conv(*p.taps.pooled_conv, elements.data(), p.n, shape.kernel_h,
                                shape.kernel_w * shape.c, to);
    } else if (p.taps.depthwise) {
      kernels::pack_depthwise(kernel, elements.data(), p.n, p.taps.packed.k, to);
    } else {
      kernels::pack_weights(kernel, elements.data() + first * taps, columns, p.taps.packed, to);
    }
    for (std::int64_t j = 0; j < p.n; ++j) {
      const std::size_t c = first + static_cast<std::size_t>(j);
      std::int32_t* out = vectors + g * p.n_padded + j;
      out[0] = multiplier[c];
      out[all] = shift[c];
      p.all_shifts_zero = p.all_shifts_zero && shift[c] == 0;
      p.small_multipliers = p.small_multipliers && multiplier[c] < 1 << 30;
      const std::vector<std::int64_t> sums = tap_sums(elements.subspan(c * taps, taps), shape);
      for (const TapLists::Class& pixels : p.taps.classes) {
        out += all;
        out[all] = folded_bias(bias[c], zero_point, pixels, shape, sums);
        if (folded) out[all + 8] = out[all];
      }
    }
  }
  p.small_multipliers = p.small_multipliers && p.all_shifts_zero;
  return p;
}

}  // namespace

kernels::GemmArgs PackedWeights::gemm_args(const TapLists& lists, const TapLists::Class& c,
                                           std::int64_t group, std::int64_t first,
                                           std::int64_t columns) const {
  const std::int64_t all = taps.shape.groups * n_padded;
  const auto* vector = vectors.as<std::int32_t>() + group * n_padded + first;
  const std::span<const kernels::TapRun> runs = lists.runs_of(c);
  kernels::GemmArgs args;
  args.n = columns;
  args.pool = taps.pool;
  args.runs = runs.data();
  args.run_count = static_cast<std::int64_t>(runs.size());
  args.packed_w =
      weights.data() + static_cast<std::size_t>(group) * group_bytes + first * column_bytes;
  args.panel_k = taps.depthwise ? n_padded : taps.packed.panel_k();
  args.epilogue.multiplier = vector;
  args.epilogue.shift = vector + all;
  args.epilogue.bias = vector + (2 + c.bias) * all;
  args.epilogue.all_shifts_zero = all_shifts_zero;
  args.epilogue.small_multipliers = small_multipliers;
  return args;
}

std::shared_ptr<const PackedModel> pack_model(const ir::Graph& graph, Isa isa) {
  const FloatEnvironment environment;
  if (!cpu_supports(isa)) {
    throw UsageError(message("this CPU does not have \"", name_of(isa), "\""));
  }
  graph.validate();
  auto model = std::make_shared<PackedModel>();
  model->kernel = &kernels::select_gemm(isa);
  model->weights.resize(graph.nodes.size());
  model->pooled_weights.resize(graph.nodes.size());
  model->graph = graph;
  model->fusion = fuse(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const ir::Node& node = graph.nodes[i];
    if (graph.constants.count(node.name + ".weight") == 0) continue;
    model->weights[i] = pack(graph, node, *model->kernel, false);
    const NodeIndex reader = model->fusion.reader_of[i];
    if (reader >= 0 &&
        std::holds_alternative<ir::MaxPool2d>(graph.nodes[static_cast<std::size_t>(reader)].op)) {
      model->pooled_weights[i] = pack(graph, node, *model->kernel, true);
    }
    for (const char* role : {".weight", ".bias", ".weight_scale", ".multiplier", ".shift"}) {
      model->graph.constants.erase(node.name + role);
    }
  }
  return model;
}

}  // namespace octet
