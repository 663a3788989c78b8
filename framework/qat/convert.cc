#include "qat/convert.h"

#include "base/float_environment.h"
#include "nn/trace.h"

namespace octet::qat {
namespace {

void check_prepared(Module& model) {
  for (const auto& [name, leaf] : named_leaves(model)) {
    OCTET_CHECK(leaf->prepared(), "[", name, "] cannot be converted: prepare the model first");
    for (const FakeQuantize* f : leaf->fake_quantizers()) {
      OCTET_CHECK(f->fake_quant_enabled(), "[", name,
                  "] cannot be converted while its fake quantization is off");
      OCTET_CHECK(f->calibrated(), "[", name,
                  "] cannot be converted: it was never calibrated; calibrate the model or train it "
                  "with observers on");
    }
  }
}

bool is_identity(const std::vector<std::uint8_t>& table, std::size_t channels) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i] != i / channels) return false;
  }
  return true;
}

// The value that the first layer reads: the graph's input, or what the input table makes of it.
ir::ValueId add_input(ir::Graph& graph, const ConvertOptions& o) {
  const std::size_t channels = static_cast<std::size_t>(o.image_shape[2]);
  OCTET_CHECK(o.input.table.size() == 256 * channels, "[convert] expects an input table of ",
              256 * channels, " codes, got ", o.input.table.size());
  if (is_identity(o.input.table, channels)) {
    graph.input = graph.add_value({"pixels", DType::kU8, o.image_shape, o.input.qparams});
    return graph.input;
  }
  graph.input = graph.add_value({"pixels", DType::kU8, o.image_shape, {}});
  const ir::ValueId codes = graph.add_value({"input", DType::kU8, o.image_shape, o.input.qparams});
  graph.add_constant("input", "table", {256, o.image_shape[2]}, o.input.table);
  graph.add_node("input", ir::InputTable{}, {graph.input}, codes);
  return codes;
}

Tensor example_codes(const Shape& image_shape, QParams qparams) {
  Tensor x = Tensor::full({1, image_shape[0], image_shape[1], image_shape[2]},
                          static_cast<float>(qparams.zero_point));
  x.set_qparams(qparams);
  return x;
}

}  // namespace

ir::Graph convert(Module& model, const ConvertOptions& options) {
  const FloatEnvironment environment;
  OCTET_CHECK(options.image_shape.rank() == 3, "[convert] expects an image shape [H, W, C], got ",
              options.image_shape);
  check_prepared(model);
  const Trace traced = trace(model, example_codes(options.image_shape, options.input.qparams));

  ir::Graph graph;
  graph.model = options.model;
  graph.dataset = options.dataset;
  graph.class_names = options.class_names;
  std::vector<ir::ValueId> ids{add_input(graph, options)};  // by the trace's numbers
  for (const TraceRecord& record : traced.records) {
    Lowering lowering{graph, record.name, {}, record.result};
    for (const int input : record.inputs) {
      lowering.inputs.push_back(ids[static_cast<std::size_t>(input)]);
    }
    ids.push_back(record.leaf->lower(lowering));
  }
  graph.output = ids[static_cast<std::size_t>(traced.output)];
  graph.validate();
  return graph;
}

}  // namespace octet::qat
