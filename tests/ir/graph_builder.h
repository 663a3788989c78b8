#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "ir/graph.h"
#include "ir/infer_shape.h"

namespace octet::testing {

// Builds valid integer graphs with random weights, biases, scales and zero points, for tests.
class GraphBuilder {
 public:
  explicit GraphBuilder(std::uint32_t seed) : rng_(seed, RngPurpose::kTest) {
    graph.model = "test";
    graph.dataset = "random";
  }

  ir::Graph graph;

  ir::ValueId input(Shape shape, QParams q, DType dtype = DType::kU8) {
    graph.input = graph.add_value({"input", dtype, std::move(shape), q});
    return graph.input;
  }

  ir::ValueId input_table(const std::string& name, ir::ValueId x) {
    const Shape& shape = graph.value(x).shape;
    const std::int64_t channels = shape[shape.rank() - 1];
    graph.add_constant(name, "table", {256, channels}, codes(256 * channels));
    return add(name, ir::InputTable{}, {x}, random_qparams());
  }

  ir::ValueId quantize(const std::string& name, ir::ValueId x) {
    return add(name, ir::Quantize{}, {x}, random_qparams());
  }

  // weight_shape: [O, KH, KW, I / groups]
  ir::ValueId conv(const std::string& name, ir::ValueId x, Shape weight_shape, ir::QConv2d op) {
    const QParams y = random_qparams();
    add_weights(name, graph.value(x).qparams, y.scale, std::move(weight_shape));
    return add(name, op, {x}, y);
  }

  ir::ValueId linear(const std::string& name, ir::ValueId x, std::int64_t out,
                     ir::QLinear op = {}) {
    const QParams y = random_qparams();
    add_weights(name, graph.value(x).qparams, y.scale, {out, graph.value(x).shape[0]});
    return add(name, op, {x}, y);
  }

  // The last node of every graph.
  ir::ValueId logits(const std::string& name, ir::ValueId x, std::int64_t classes) {
    const Shape weight{classes, graph.value(x).shape[0]};
    const std::vector<float> scales = weight_scales(classes);
    float largest = 0.0f;
    for (const float s : scales) largest = std::max(largest, graph.value(x).qparams.scale * s);
    const QParams y{largest / 64.0f, 0};
    add_weights(name, graph.value(x).qparams, y.scale, weight, scales);
    graph.output = add(name, ir::QLinear{}, {x}, y, DType::kI32);
    return graph.output;
  }

  ir::ValueId add_op(const std::string& name, std::vector<ir::ValueId> operands,
                     std::int32_t clamp_min = 0, std::int32_t clamp_max = 255) {
    const QParams a = graph.value(operands[0]).qparams, y = random_qparams();
    const QParams b = operands.size() == 2 ? graph.value(operands[1]).qparams : QParams{0.0f, 0};
    return add(name, ir::QAdd{make_add_params(a, b, y), clamp_min, clamp_max}, std::move(operands),
               y);
  }

  // Requantizes a value to given parameters.
  ir::ValueId rescale(const std::string& name, ir::ValueId x, QParams y) {
    const AddParams p = make_add_params(graph.value(x).qparams, {0.0f, 0}, y);
    return add(name, ir::QAdd{p, 0, 255}, {x}, y);
  }

  ir::ValueId max_pool(const std::string& name, ir::ValueId x, ir::MaxPool2d op) {
    return add(name, op, {x}, graph.value(x).qparams);
  }

  ir::ValueId avg_pool(const std::string& name, ir::ValueId x, ir::AvgPool2d op) {
    const float scale = graph.value(x).qparams.scale;
    const QParams y{scale * rng_.uniform(0.5f, 1.5f), zero_point()};
    op.requant = make_requant(average_ratio(scale, y.scale, op.kernel_h * op.kernel_w));
    return add(name, op, {x}, y);
  }

  ir::ValueId concat(const std::string& name, std::vector<ir::ValueId> inputs) {
    const QParams q = graph.value(inputs[0]).qparams;
    return add(name, ir::Concat{}, std::move(inputs), q);
  }

  ir::ValueId flatten(const std::string& name, ir::ValueId x) {
    return add(name, ir::Flatten{}, {x}, graph.value(x).qparams);
  }

  QParams random_qparams() { return {rng_.uniform(0.01f, 0.1f), zero_point()}; }

  std::vector<std::uint8_t> codes(std::int64_t count) {
    std::vector<std::uint8_t> v(static_cast<std::size_t>(count));
    for (std::uint8_t& c : v) c = static_cast<std::uint8_t>(rng_.below(256));
    return v;
  }

  Rng& rng() { return rng_; }

 private:
  std::int32_t zero_point() { return static_cast<std::int32_t>(rng_.below(256)); }

  std::vector<float> weight_scales(std::int64_t channels) {
    std::vector<float> v(static_cast<std::size_t>(channels));
    for (float& s : v) s = rng_.uniform(0.0005f, 0.01f);
    return v;
  }

  void add_weights(const std::string& name, QParams x, float output_scale, Shape shape,
                   std::vector<float> scales = {}) {
    const std::int64_t channels = shape[0];
    if (scales.empty()) scales = weight_scales(channels);
    std::vector<std::int8_t> weight(static_cast<std::size_t>(shape.numel()));
    for (std::int8_t& w : weight) {
      w = static_cast<std::int8_t>(static_cast<int>(rng_.below(256)) - 128);
    }
    std::vector<std::int32_t> bias, multiplier;
    std::vector<std::int8_t> shift;
    for (const float s : scales) {
      bias.push_back(static_cast<std::int32_t>(rng_.below(40001)) - 20000);
      const Requant r = make_requant(requant_ratio(x.scale, s, output_scale));
      multiplier.push_back(r.multiplier);
      shift.push_back(static_cast<std::int8_t>(r.shift));
    }
    graph.add_constant(name, "weight", std::move(shape), weight);
    graph.add_constant(name, "bias", {channels}, bias);
    graph.add_constant(name, "weight_scale", {channels}, scales);
    graph.add_constant(name, "multiplier", {channels}, multiplier);
    graph.add_constant(name, "shift", {channels}, shift);
  }

  ir::ValueId add(const std::string& name, ir::Op op, std::vector<ir::ValueId> inputs, QParams q,
                  DType dtype = DType::kU8) {
    std::vector<Shape> shapes;
    for (const ir::ValueId id : inputs) shapes.push_back(graph.value(id).shape);
    const auto weight = graph.constants.find(name + ".weight");
    const ir::Node probe{name, op, inputs, 0};
    const Shape shape = ir::infer_shape(
        probe, shapes, weight == graph.constants.end() ? Shape{} : weight->second.shape);
    const ir::ValueId y = graph.add_value({name, dtype, shape, q});
    graph.add_node(name, std::move(op), std::move(inputs), y);
    return y;
  }

  Rng rng_;
};

// The LeNet of d2l.ai: 6-16-120-84-10 on 28 x 28 pixels, padding 2.
inline ir::Graph lenet_graph(std::uint32_t seed = 1) {
  GraphBuilder b(seed);
  b.graph.model = "lenet";
  b.graph.dataset = "mnist";
  for (int i = 0; i < 10; ++i) b.graph.class_names.push_back(std::to_string(i));
  ir::ValueId x = b.input({28, 28, 1}, {1.0f / 255.0f, 0});
  x = b.conv("conv1", x, {6, 5, 5, 1}, {.padding = 2});
  x = b.max_pool("pool1", x, {});
  x = b.conv("conv2", x, {16, 5, 5, 6}, {});
  x = b.max_pool("pool2", x, {});
  x = b.flatten("flatten", x);
  x = b.linear("fc1", x, 120);
  x = b.linear("fc2", x, 84);
  b.logits("fc3", x, 10);
  return b.graph;
}

// One of every op but Quantize, on few pixels; odd shapes.
inline ir::Graph small_graph(std::uint32_t seed = 1) {
  GraphBuilder b(seed);
  b.graph.class_names = {"cat", "dog", "\"quoted\" \xC3\xA9"};
  ir::ValueId x = b.input_table("table", b.input({5, 7, 3}, {}));
  x = b.conv("conv", x, {4, 3, 3, 3}, {.padding = 1, .clamp_min = 3, .clamp_max = 250});
  const ir::ValueId y = b.conv("grouped", x, {4, 1, 1, 2}, {.groups = 2});
  x = b.add_op("add", {x, y});
  const ir::ValueId z = b.rescale("rescale", y, b.graph.value(x).qparams);
  x = b.concat("concat", {x, z});
  x = b.max_pool("max_pool", x, {.kernel = 3, .stride = 2, .padding = 1});
  x = b.avg_pool("avg_pool", x, {.kernel_h = 3, .kernel_w = 2, .stride = 1, .padding = 1});
  x = b.flatten("flatten", x);
  b.logits("fc", x, 3);
  return b.graph;
}

}  // namespace octet::testing
