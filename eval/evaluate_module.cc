#include "eval/evaluate_module.h"

#include "autograd/node.h"
#include "eval/load_data.h"
#include "inference/float_executor.h"

namespace octet {
namespace {

class FloatRunner final : public FormRunner {
 public:
  FloatRunner(const std::shared_ptr<const FloatModel>& model, std::int64_t max_batch, int threads)
      : executor_(model, {.max_batch = max_batch, .threads = threads}) {}

  void load(const Batch& batch) override {
    images_ = batch.images;
    const Shape shape{images_.dim(0), executor_.output_shape().numel()};
    if (!logits_.defined() || logits_.shape() != shape) logits_ = Tensor::empty(shape);
  }
  void run() override {
    executor_.run({images_.data(), static_cast<std::size_t>(images_.numel())}, images_.dim(0),
                  {logits_.mutable_data(), static_cast<std::size_t>(logits_.numel())});
  }
  Logits logits() const override { return {logits_.bytes(), DType::kF32, 1.0f}; }

 private:
  FloatExecutor executor_;
  Tensor images_, logits_;
};

class TwinRunner final : public FormRunner {
 public:
  TwinRunner(Module& prepared, const qat::InputEncoding& encoding)
      : model_(prepared), encoding_(encoding) {}

  void load(const Batch& batch) override {
    const std::span pixels(batch.pixels.data<std::uint8_t>(),
                           static_cast<std::size_t>(batch.pixels.numel()));
    codes_ = qat::input_codes(pixels, batch.pixels.shape(), encoding_);
  }
  void run() override {
    const NoGradGuard no_grad;
    logits_ = model_(codes_);
  }
  Logits logits() const override {
    return {logits_.bytes(), DType::kI32, logits_.qparams()->scale};
  }

 private:
  Module& model_;
  const qat::InputEncoding& encoding_;
  Tensor codes_, logits_;
};

}  // namespace

EvaluatedModel float_form(Module& model, const Shape& image_shape, const EvaluateOptions& options) {
  return {"float", [packed = pack_float_model(model, image_shape, process_isa()),
                    threads = options.threads](std::int64_t max_batch) {
            return std::make_unique<FloatRunner>(packed, max_batch, threads);
          }};
}

Measurement evaluate_float(Module& model, std::shared_ptr<const Dataset> dataset,
                           const Normalization& normalization, const EvaluateOptions& options) {
  const EvaluatedModel form = float_form(model, dataset->image_shape(), options);
  Measurement m = evaluate(form, std::move(dataset), normalization, options);
  m.isa = name_of(process_isa());
  return m;
}

Measurement evaluate_fake_quant(Module& prepared, std::shared_ptr<const Dataset> dataset,
                                const Normalization& normalization,
                                const EvaluateOptions& options) {
  const bool was_training = prepared.is_training();
  prepared.eval();
  const qat::InputEncoding encoding = input_encoding(normalization);
  const EvaluatedModel form{
      "fake-quant", [&](std::int64_t) { return std::make_unique<TwinRunner>(prepared, encoding); }};
  Measurement m = evaluate(form, std::move(dataset), normalization, options);
  m.isa = name_of(process_isa());
  prepared.train(was_training);
  return m;
}

}  // namespace octet
