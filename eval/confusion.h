#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace octet {

// How often images of one class were taken for another.
class ConfusionMatrix {
 public:
  // One label and one prediction per image, none negative. A class without a name (the model tells
  // more apart than the dataset has) is called by its number.
  ConfusionMatrix(std::span<const std::int32_t> labels, std::span<const std::int32_t> predictions,
                  std::vector<std::string> class_names);

  std::int64_t classes() const { return static_cast<std::int64_t>(names_.size()); }
  const std::string& name(std::int64_t c) const { return names_[static_cast<std::size_t>(c)]; }
  std::int64_t count(std::int64_t label, std::int64_t prediction) const;
  std::int64_t images(std::int64_t label) const;            // of this class
  std::int64_t predictions(std::int64_t prediction) const;  // as this class
  double accuracy(std::int64_t label) const;                // percent; 0 without images

  // Classes that have images, but that no image was taken for.
  std::vector<std::int64_t> never_predicted() const;

  struct Confusion {
    std::int64_t label, prediction, count;
  };
  // The `most` most frequent errors, the most frequent first.
  std::vector<Confusion> confusions(std::size_t most) const;
  // The `most` classes of lowest accuracy that have images, the lowest first.
  std::vector<std::int64_t> worst(std::size_t most) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::int64_t> counts_;  // [label, prediction]
};

// Adds "classes", "per_class" (images, correct, accuracy, predicted), "never_predicted" and
// "confusion", whose rows are labels and whose columns are predictions.
void add_json(const ConfusionMatrix& matrix, nlohmann::ordered_json& json);

// For people, in lines of at most 80 columns: the accuracy of each class beside the whole matrix,
// or, where that does not fit (more than 10 to 20 classes), the worst classes and the most frequent
// confusions. Says which classes were never predicted.
std::string to_text(const ConfusionMatrix& matrix);

// The same in a few lines, without the matrix: for the end of a run.
std::string to_short_text(const ConfusionMatrix& matrix);

}  // namespace octet
