#include "eval/confusion.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/text.h"
#include "file/printable.h"

namespace octet {
namespace {

constexpr std::size_t kColumns = 80, kNameWidth = 14, kShown = 10;

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

// Characters of UTF-8, which are as many columns in most scripts.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

// At most `width` characters; ".." stands for what was cut off.
std::string cut(const std::string& text, std::size_t width) {
  if (width_of(text) <= width) return text;
  std::string kept;
  std::size_t characters = 0;
  for (const char c : text) {
    if (begins_character(c) && ++characters > width - 2) break;
    kept += c;
  }
  return kept + "..";
}

std::string left_aligned(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, width_of(text)), ' ');
}

std::string right_aligned(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, width_of(text)), ' ') + text;
}

std::string percent(const ConfusionMatrix& matrix, std::int64_t c) {
  return matrix.images(c) > 0 ? format("%.2f", matrix.accuracy(c)) : "-";
}

std::string short_name(const ConfusionMatrix& matrix, std::int64_t c) {
  return cut(printable(matrix.name(c)), kNameWidth);
}

// "3 cat"; "3" of classes that are called by their numbers.
std::string numbered_name(const ConfusionMatrix& matrix, std::int64_t c) {
  const std::string number = std::to_string(c);
  const std::size_t digits = std::to_string(matrix.classes() - 1).size();
  const std::string name = short_name(matrix, c);
  return right_aligned(number, digits) + (name == number ? "" : " " + name);
}

std::size_t widest(const ConfusionMatrix& matrix,
                   std::string (*text)(const ConfusionMatrix&, std::int64_t)) {
  std::size_t width = 0;
  for (std::int64_t c = 0; c < matrix.classes(); ++c) {
    width = std::max(width, width_of(text(matrix, c)));
  }
  return width;
}

// Words in lines of at most 80 columns, all but the first indented.
std::string wrapped(const std::string& begin, const std::vector<std::string>& words) {
  std::string text = begin;
  std::size_t column = width_of(begin);
  for (const std::string& word : words) {
    if (column + 1 + width_of(word) > kColumns) {
      text += "\n ";
      column = 1;
    }
    text += " " + word;
    column += 1 + width_of(word);
  }
  return text + "\n";
}

std::string never_predicted_text(const ConfusionMatrix& matrix) {
  const std::vector<std::int64_t> never = matrix.never_predicted();
  if (never.empty()) return "";
  std::vector<std::string> words;
  for (std::size_t i = 0; i < std::min(never.size(), kShown); ++i) {
    words.push_back(short_name(matrix, never[i]) + (i + 1 < never.size() ? "," : ""));
  }
  if (never.size() > kShown) words.push_back(message("and ", never.size() - kShown, " more"));
  return wrapped(message("never predicted, ", never.size(), " of ", matrix.classes(), " classes:"),
                 words);
}

std::string whole_matrix(const ConfusionMatrix& matrix, std::size_t names, std::size_t digits) {
  std::string text = "images of each class (row) by the class they were taken for (column)\n" +
                     left_aligned("class", names) + "  top-1 % ";
  for (std::int64_t c = 0; c < matrix.classes(); ++c) {
    text += " " + right_aligned(std::to_string(c), digits);
  }
  text += "\n";
  for (std::int64_t label = 0; label < matrix.classes(); ++label) {
    text += left_aligned(numbered_name(matrix, label), names) + "  " +
            right_aligned(percent(matrix, label), 7) + " ";
    for (std::int64_t c = 0; c < matrix.classes(); ++c) {
      const std::int64_t count = matrix.count(label, c);
      text += " " + right_aligned(count == 0 ? "." : std::to_string(count), digits);
    }
    text += "\n";
  }
  return text;
}

std::string worst_classes(const ConfusionMatrix& matrix) {
  const std::vector<std::int64_t> worst = matrix.worst(kShown);
  std::string text = message("the ", worst.size(), " worst of ", matrix.classes(), " classes\n") +
                     left_aligned("class", kNameWidth + 6) + "  top-1 %   images\n";
  for (const std::int64_t c : worst) {
    text += left_aligned(numbered_name(matrix, c), kNameWidth + 6) + "  " +
            right_aligned(percent(matrix, c), 7) + "  " +
            right_aligned(std::to_string(matrix.images(c)), 7) + "\n";
  }
  return text;
}

std::string frequent_confusions(const ConfusionMatrix& matrix) {
  const auto confusions = matrix.confusions(kShown);
  if (confusions.empty()) return "";
  std::string text = "most frequent confusions\n";
  for (const auto& [label, prediction, count] : confusions) {
    text += right_aligned(std::to_string(count), 7) + "  " + short_name(matrix, label) +
            " taken for " + short_name(matrix, prediction) + "\n";
  }
  return text;
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(std::span<const std::int32_t> labels,
                                 std::span<const std::int32_t> predictions,
                                 std::vector<std::string> class_names)
    : names_(std::move(class_names)) {
  OCTET_CHECK(labels.size() == predictions.size(), labels.size(), " labels, but ",
              predictions.size(), " predictions");
  for (const auto& classes : {labels, predictions}) {
    for (const std::int32_t c : classes) {
      OCTET_CHECK(c >= 0, "class ", c, " of an image");
      while (static_cast<std::size_t>(c) >= names_.size()) {
        names_.push_back(std::to_string(names_.size()));
      }
    }
  }
  counts_.resize(names_.size() * names_.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    ++counts_[static_cast<std::size_t>(labels[i]) * names_.size() +
              static_cast<std::size_t>(predictions[i])];
  }
}

std::int64_t ConfusionMatrix::count(std::int64_t label, std::int64_t prediction) const {
  return counts_[static_cast<std::size_t>(label * classes() + prediction)];
}

std::int64_t ConfusionMatrix::images(std::int64_t label) const {
  const auto row = counts_.begin() + label * classes();
  return std::accumulate(row, row + classes(), std::int64_t{0});
}

std::int64_t ConfusionMatrix::predictions(std::int64_t prediction) const {
  std::int64_t sum = 0;
  for (std::int64_t label = 0; label < classes(); ++label) sum += count(label, prediction);
  return sum;
}

double ConfusionMatrix::accuracy(std::int64_t label) const {
  const std::int64_t all = images(label);
  return all == 0 ? 0.0
                  : 100.0 * static_cast<double>(count(label, label)) / static_cast<double>(all);
}

std::vector<std::int64_t> ConfusionMatrix::never_predicted() const {
  std::vector<std::int64_t> never;
  for (std::int64_t c = 0; c < classes(); ++c) {
    if (images(c) > 0 && predictions(c) == 0) never.push_back(c);
  }
  return never;
}

std::vector<ConfusionMatrix::Confusion> ConfusionMatrix::confusions(std::size_t most) const {
  std::vector<Confusion> all;
  for (std::int64_t label = 0; label < classes(); ++label) {
    for (std::int64_t c = 0; c < classes(); ++c) {
      if (c != label && count(label, c) > 0) all.push_back({label, c, count(label, c)});
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Confusion& a, const Confusion& b) { return a.count > b.count; });
  all.resize(std::min(all.size(), most));
  return all;
}

std::vector<std::int64_t> ConfusionMatrix::worst(std::size_t most) const {
  std::vector<std::pair<double, std::int64_t>> all;
  for (std::int64_t c = 0; c < classes(); ++c) {
    if (images(c) > 0) all.emplace_back(accuracy(c), c);
  }
  std::sort(all.begin(), all.end());
  std::vector<std::int64_t> worst;
  for (std::size_t i = 0; i < std::min(all.size(), most); ++i) worst.push_back(all[i].second);
  return worst;
}

void add_json(const ConfusionMatrix& matrix, nlohmann::ordered_json& json) {
  auto names = nlohmann::ordered_json::array(), per_class = nlohmann::ordered_json::array(),
       never = nlohmann::ordered_json::array(), rows = nlohmann::ordered_json::array();
  for (std::int64_t label = 0; label < matrix.classes(); ++label) {
    names.push_back(matrix.name(label));
    nlohmann::ordered_json one = {{"class", matrix.name(label)},
                                  {"images", matrix.images(label)},
                                  {"correct", matrix.count(label, label)},
                                  {"accuracy", nullptr},
                                  {"predicted", matrix.predictions(label)}};
    if (matrix.images(label) > 0) one["accuracy"] = matrix.accuracy(label);
    per_class.push_back(std::move(one));
    auto row = nlohmann::ordered_json::array();
    for (std::int64_t c = 0; c < matrix.classes(); ++c) row.push_back(matrix.count(label, c));
    rows.push_back(std::move(row));
  }
  for (const std::int64_t c : matrix.never_predicted()) never.push_back(matrix.name(c));
  json["classes"] = std::move(names);
  json["per_class"] = std::move(per_class);
  json["never_predicted"] = std::move(never);
  json["confusion"] = std::move(rows);
}

std::string to_text(const ConfusionMatrix& matrix) {
  std::size_t digits = std::to_string(matrix.classes() - 1).size();
  for (std::int64_t label = 0; label < matrix.classes(); ++label) {
    for (std::int64_t c = 0; c < matrix.classes(); ++c) {
      digits = std::max(digits, std::to_string(matrix.count(label, c)).size());
    }
  }
  const std::size_t names = std::max<std::size_t>(5, widest(matrix, numbered_name));
  const std::size_t width = names + 10 + static_cast<std::size_t>(matrix.classes()) * (digits + 1);
  return (width <= kColumns ? whole_matrix(matrix, names, digits)
                            : worst_classes(matrix) + frequent_confusions(matrix)) +
         never_predicted_text(matrix);
}

std::string to_short_text(const ConfusionMatrix& matrix) {
  std::vector<std::string> words;
  if (matrix.classes() <= 20) {
    for (std::int64_t c = 0; c < matrix.classes(); ++c) {
      words.push_back(short_name(matrix, c) + ": " + percent(matrix, c) +
                      (c + 1 < matrix.classes() ? "," : ""));
    }
    return wrapped("top-1 % by class ", words) + never_predicted_text(matrix);
  }
  const std::vector<std::int64_t> worst = matrix.worst(kShown);
  for (std::size_t i = 0; i < worst.size(); ++i) {
    words.push_back(short_name(matrix, worst[i]) + ": " + percent(matrix, worst[i]) +
                    (i + 1 < worst.size() ? "," : ""));
  }
  return wrapped(message("top-1 % of the worst of ", matrix.classes(), " classes "), words) +
         never_predicted_text(matrix);
}

}  // namespace octet
