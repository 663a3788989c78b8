#pragma once

#include <memory>

#include "eval/evaluate.h"

namespace octet {

// How near the logits of one form of a model are to those of its float form.
struct FloatAgreement {
  // Below this many dB of SQNR the quantization has done more than round: worth a warning.
  static constexpr double kLeastSqnrDb = 20.0;

  std::int64_t images = 0;
  std::int64_t same_prediction = 0;
  // Signal-to-quantization-noise ratio: 10 log10(sum r^2 / sum (q - r)^2) over all images, r and q
  // the logits less their mean over the image's classes, of which the softmax knows nothing.
  // Infinite if all are equal.
  double sqnr_db = 0.0;

  double top1_agreement() const {  // in percent
    return images > 0 ? 100.0 * static_cast<double>(same_prediction) / static_cast<double>(images)
                      : 0.0;
  }
  bool is_low() const { return !(sqnr_db >= kLeastSqnrDb); }
};

// Runs both on all images. It shows what no comparison of the twin with the engine can: faults in
// the parameters that the two share.
FloatAgreement compare_with_float(const EvaluatedModel& quantized, const EvaluatedModel& real,
                                  std::shared_ptr<const Dataset> images,
                                  const Normalization& normalization, std::int64_t batch);

// One line: "256 images ... : SQNR 34.2 dB, top-1 agreement 99.61 %"
std::string to_text(const FloatAgreement& agreement);
// "sqnr_db", null where it is infinite, and "top1_agreement" in percent.
nlohmann::ordered_json to_json(const FloatAgreement& agreement);
// What to say if is_low().
std::string warning_of(const FloatAgreement& agreement);

}  // namespace octet
