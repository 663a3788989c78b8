#include "eval/float_agreement.h"

#include <cmath>

#include "base/text.h"

namespace octet {

FloatAgreement compare_with_float(const EvaluatedModel& quantized, const EvaluatedModel& real,
                                  std::shared_ptr<const Dataset> images,
                                  const Normalization& normalization, std::int64_t batch_size) {
  const DataLoader loader(std::move(images),
                          {.batch_size = batch_size, .normalization = normalization});
  const std::unique_ptr<FormRunner> a = quantized.make_runner(batch_size),
                                    b = real.make_runner(batch_size);
  FloatAgreement agreement;
  double power = 0.0, noise = 0.0;
  for (std::int64_t i = 0; i < loader.batches(); ++i) {
    const Batch batch = loader.batch(0, i);
    for (FormRunner* runner : {a.get(), b.get()}) {
      runner->load(batch);
      runner->run();
    }
    const Logits q = a->logits(), r = b->logits();
    const std::int64_t count = batch.labels.numel(), classes = r.count() / count;
    for (std::int64_t n = 0; n < count; ++n) {
      double mean_q = 0.0, mean_r = 0.0;
      for (std::int64_t c = n * classes; c < (n + 1) * classes; ++c) {
        mean_q += q.real(c) / static_cast<double>(classes);
        mean_r += r.real(c) / static_cast<double>(classes);
      }
      for (std::int64_t c = n * classes; c < (n + 1) * classes; ++c) {
        const double expected = r.real(c) - mean_r, error = q.real(c) - mean_q - expected;
        power += expected * expected;
        noise += error * error;
      }
      agreement.same_prediction += q.prediction(n, classes) == r.prediction(n, classes) ? 1 : 0;
    }
    agreement.images += count;
  }
  agreement.sqnr_db = noise > 0.0 ? 10.0 * std::log10(power / noise) : HUGE_VAL;
  return agreement;
}

std::string to_text(const FloatAgreement& a) {
  return format("%ld images, integer against float logits: SQNR %.1f dB, top-1 agreement %.2f %%",
                static_cast<long>(a.images), a.sqnr_db, a.top1_agreement());
}

nlohmann::ordered_json to_json(const FloatAgreement& a) {
  nlohmann::ordered_json json = {{"sqnr_db", nullptr}, {"top1_agreement", a.top1_agreement()}};
  if (std::isfinite(a.sqnr_db)) json["sqnr_db"] = a.sqnr_db;
  return json;
}

std::string warning_of(const FloatAgreement& a) {
  return format(
      "the SQNR of the logits is %.1f dB, below %.0f: quantization has changed what the model "
      "computes. More bits for some layers (quantize.layers), another observer or QAT may help",
      a.sqnr_db, FloatAgreement::kLeastSqnrDb);
}

}  // namespace octet
