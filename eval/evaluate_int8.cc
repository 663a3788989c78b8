#include "eval/evaluate_int8.h"

#include <vector>

#include "base/error.h"
#include "data/normalize.h"
#include "runtime/executor.h"

namespace octet {
namespace {

class Int8Runner final : public FormRunner {
 public:
  Int8Runner(const std::shared_ptr<const PackedModel>& model, const ir::Value& logits,
             std::int64_t max_batch, int threads)
      : executor_(model, {.max_batch = max_batch, .threads = threads}),
        classes_(logits.shape.numel()),
        scale_(logits.qparams.scale),
        logits_(static_cast<std::size_t>(max_batch * classes_)) {}

  void load(const Batch& batch) override {
    pixels_ = batch.pixels;
    count_ = pixels_.dim(0);
  }
  void run() override {
    executor_.run(
        std::span(pixels_.data<std::uint8_t>(), static_cast<std::size_t>(pixels_.numel())), count_,
        result());
  }
  Logits logits() const override {
    return {std::as_bytes(std::span(logits_).first(static_cast<std::size_t>(count_ * classes_))),
            DType::kI32, scale_};
  }

 private:
  std::span<std::int32_t> result() {
    return std::span(logits_).first(static_cast<std::size_t>(count_ * classes_));
  }

  Executor executor_;
  std::int64_t classes_;
  float scale_;
  std::vector<std::int32_t> logits_;
  Tensor pixels_;
  std::int64_t count_ = 0;
};

}  // namespace

EvaluatedModel int8_form(const ir::Graph& graph, const EvaluateOptions& options) {
  return {"int8", [model = pack_model(graph, options.isa), logits = graph.value(graph.output),
                   threads = options.threads](std::int64_t max_batch) {
            return std::make_unique<Int8Runner>(model, logits, max_batch, threads);
          }};
}

Measurement evaluate_int8(const ir::Graph& graph, const Dataset& dataset,
                          const EvaluateOptions& options) {
  const Shape& expected = graph.value(graph.input).shape;
  OCTET_CHECK(dataset.image_shape() == expected, "the model takes images of shape ", expected,
              ", the dataset has ", dataset.image_shape());
  // The loader's real numbers go unused: any normalization will do.
  const Normalization any = unit_normalization(static_cast<int>(expected[2]));
  const std::shared_ptr<const Dataset> borrowed(std::shared_ptr<const Dataset>(), &dataset);
  Measurement m = evaluate(int8_form(graph, options), borrowed, any, options);
  m.model = graph.model;
  return m;
}

}  // namespace octet
