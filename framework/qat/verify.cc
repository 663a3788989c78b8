#include "qat/verify.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include "base/float_environment.h"
#include "nn/trace.h"
#include "runtime/executor.h"

namespace octet::qat {
namespace {

// A value of the graph and what makes it in the twin.
struct Compared {
  ir::ValueId id;
  const Tensor* twin;
};

// Pairs every value of the graph but its pixels, the common input, with the twin's tensor of the
// same name: a leaf's result, or a tensor within a leaf of several ops.
std::vector<Compared> match(const ir::Graph& graph, const Trace& twin, const Tensor& input) {
  std::map<std::string, const Tensor*> made;
  for (const TraceRecord& record : twin.records) {
    made[record.name] = &record.result;
    for (const NamedTensor& inner : record.inner) made[inner.name] = &inner.tensor;
  }
  made["input"] = &input;
  std::vector<Compared> pairs;
  for (const ir::Node& node : graph.nodes) {
    const auto it = made.find(node.name);
    OCTET_CHECK(it != made.end(), "[verify] the graph's node \"", node.name,
                "\" is no layer of the model; the graph was made from another model");
    pairs.push_back({node.output, it->second});
  }
  return pairs;
}

class Comparison {
 public:
  explicit Comparison(VerifyReport& report) : report_(report) {}

  // One tensor of a batch that begins at image `first`; `code(i)` is the graph's i-th element.
  template <class Twin, class Code>
  void compare(const std::string& name, std::int64_t first, std::int64_t per_image,
               std::int64_t count, const Twin& twin, const Code& code) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t difference = std::abs(std::int64_t{twin(i)} - std::int64_t{code(i)});
      if (difference == 0) continue;
      if (report_.mismatched++ == 0) {
        report_.first_mismatch = message(name, " [image ", first + i / per_image, ", element ",
                                         i % per_image, "]: twin ", twin(i), ", graph ", code(i));
      }
      report_.max_lsb = std::max(report_.max_lsb, difference);
    }
  }

 private:
  VerifyReport& report_;
};

}  // namespace

VerifyReport verify(Module& model, const ir::Graph& graph, std::span<const std::uint8_t> pixels,
                    const VerifyOptions& options) {
  const FloatEnvironment environment;
  const auto packed = pack_model(graph, options.isa);  // validates
  const Shape& image = graph.value(graph.input).shape;
  const Shape& logits_shape = graph.value(graph.output).shape;
  OCTET_CHECK(image.rank() == 3 && !pixels.empty() &&
                  static_cast<std::int64_t>(pixels.size()) % image.numel() == 0,
              "[verify] ", pixels.size(), " pixels are not whole images of shape ", image);
  OCTET_CHECK(options.batch_size >= 1, "[verify] needs a positive batch size");
  const std::int64_t images = static_cast<std::int64_t>(pixels.size()) / image.numel();
  const std::int64_t batch_size = std::min(options.batch_size, images);
  Executor executor(packed,
                    {.max_batch = batch_size, .threads = options.threads, .keep_values = true});
  // An executor that keeps its values computes node by node; this one as it is deployed.
  Executor fused(packed, {.max_batch = batch_size, .threads = options.threads});
  std::vector<std::int32_t> logits(static_cast<std::size_t>(batch_size * logits_shape.numel()));
  std::vector<std::int32_t> fused_logits(logits.size());

  VerifyReport report;
  Comparison comparison(report);
  for (std::int64_t first = 0; first < images; first += batch_size) {
    const std::int64_t batch = std::min(batch_size, images - first);
    const auto these = pixels.subspan(static_cast<std::size_t>(first * image.numel()),
                                      static_cast<std::size_t>(batch * image.numel()));
    const Tensor input = input_codes(these, {batch, image[0], image[1], image[2]}, options.input);
    const Trace twin = trace(model, input);
    const auto logit_count = static_cast<std::size_t>(batch * logits_shape.numel());
    executor.run(these, batch, std::span(logits).first(logit_count));
    fused.run(these, batch, std::span(fused_logits).first(logit_count));

    const std::vector<Compared> pairs = match(graph, twin, input);
    for (const auto& [id, tensor] : pairs) {
      const ir::Value& value = graph.value(id);
      const std::int64_t count = batch * value.shape.numel();
      OCTET_CHECK(tensor->numel() == count &&
                      (tensor->dtype() == DType::kI32) == (value.dtype == DType::kI32),
                  "[verify] \"", value.name, "\" is ", value.shape, " in the graph and ",
                  tensor->shape(), " in the model");
      report.elements += count;
      if (value.dtype == DType::kI32) {
        const std::int32_t* t = tensor->data<std::int32_t>();
        comparison.compare(
            value.name, first, value.shape.numel(), count, [&](std::int64_t i) { return t[i]; },
            [&](std::int64_t i) { return logits[static_cast<std::size_t>(i)]; });
        comparison.compare(  // what differs here alone
            value.name + " of fused steps", first, value.shape.numel(), count,
            [&](std::int64_t i) { return t[i]; },
            [&](std::int64_t i) {
              const auto at = static_cast<std::size_t>(i);
              return logits[at] == t[i] ? fused_logits[at] : t[i];
            });
      } else {
        const float* t = tensor->data();
        const auto codes = executor.value(id);
        comparison.compare(
            value.name, first, value.shape.numel(), count,
            [&](std::int64_t i) { return static_cast<std::int32_t>(t[i]); },
            [&](std::int64_t i) { return std::int32_t{codes[static_cast<std::size_t>(i)]}; });
      }
    }
    report.tensors = static_cast<std::int64_t>(pairs.size());
    report.images += batch;
  }
  return report;
}

}  // namespace octet::qat
