#include "inference/float_model.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/float_environment.h"
#include "kernels/f32/pack.h"
#include "nn/leaf.h"
#include "nn/trace.h"

namespace octet {
namespace {

Shape without_batch(const Shape& shape) {
  return Shape(std::vector<std::int64_t>(shape.dims().begin() + 1, shape.dims().end()));
}

void pack(FloatNode& node, FloatConv2d& form, const kernels::F32Kernels& kernels) {
  const std::int64_t n = form.out / form.groups;
  const std::int64_t taps = form.kernel * form.kernel * form.in / form.groups;
  const std::int64_t room = kernels::packed_room(n, taps);
  node.weight = AlignedBuffer(sizeof(float) * static_cast<std::size_t>(form.groups * room));
  for (std::int64_t g = 0; g < form.groups; ++g) {
    kernels::pack_transposed(form.weight.data() + g * n * taps, {n, kernels.panel_columns}, taps,
                             node.weight.as<float>() + g * room);
  }
  node.bias = AlignedBuffer(sizeof(float) * form.bias.size());
  std::copy(form.bias.begin(), form.bias.end(), node.bias.as<float>());
  form.weight = {};
  form.bias = {};
}

}  // namespace

std::shared_ptr<const FloatModel> pack_float_model(Module& model, const Shape& image_shape,
                                                   Isa isa) {
  const FloatEnvironment environment;
  if (!cpu_supports(isa)) {
    throw UsageError(message("this CPU does not have \"", name_of(isa), "\""));
  }
  OCTET_CHECK(image_shape.rank() == 3, "[inference] expects an image shape [H, W, C], got ",
              image_shape);
  const Trace traced =
      trace(model, Tensor::zeros({1, image_shape[0], image_shape[1], image_shape[2]}));
  auto packed = std::make_shared<FloatModel>();
  packed->kernels = &kernels::select_f32_kernels(isa);
  packed->shapes.push_back(image_shape);
  packed->output = traced.output;
  for (const TraceRecord& record : traced.records) {
    FloatNode node{record.name,
                   record.leaf->float_form(),
                   {record.inputs.begin(), record.inputs.end()},
                   record.output,
                   {},
                   {}};
    if (auto* conv = std::get_if<FloatConv2d>(&node.form)) pack(node, *conv, *packed->kernels);
    packed->shapes.push_back(without_batch(record.result.shape()));
    packed->nodes.push_back(std::move(node));
  }
  return packed;
}

}  // namespace octet
