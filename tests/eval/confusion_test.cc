#include "eval/confusion.h"

#include <algorithm>
#include <sstream>

#include "tests/testing.h"

namespace octet {
namespace {

// `counts[label][prediction]` images of each kind.
ConfusionMatrix matrix_of(const std::vector<std::vector<int>>& counts,
                          std::vector<std::string> names) {
  std::vector<std::int32_t> labels, predictions;
  for (std::size_t label = 0; label < counts.size(); ++label) {
    for (std::size_t prediction = 0; prediction < counts[label].size(); ++prediction) {
      for (int i = 0; i < counts[label][prediction]; ++i) {
        labels.push_back(static_cast<std::int32_t>(label));
        predictions.push_back(static_cast<std::int32_t>(prediction));
      }
    }
  }
  return ConfusionMatrix(labels, predictions, std::move(names));
}

// Every class is taken for the next one `wrong` times of a hundred.
ConfusionMatrix ring(int classes, int wrong, const std::string& name) {
  std::vector<std::vector<int>> counts(static_cast<std::size_t>(classes));
  std::vector<std::string> names;
  for (int c = 0; c < classes; ++c) {
    auto& row = counts[static_cast<std::size_t>(c)];
    row.resize(static_cast<std::size_t>(classes));
    row[static_cast<std::size_t>(c)] = 100 - wrong;
    row[static_cast<std::size_t>((c + 1) % classes)] += wrong;
    names.push_back(name + std::to_string(c));
  }
  return matrix_of(counts, names);
}

std::size_t widest_line(const std::string& text) {
  std::istringstream lines(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, line.size());
  return widest;
}

}  // namespace

TEST_SUITE_BEGIN("eval");

TEST_CASE("confusion: counts, accuracies and errors by hand") {
  const ConfusionMatrix m =
      matrix_of({{8, 2, 0, 0}, {1, 3, 0, 0}, {5, 0, 0, 0}, {}}, {"cat", "dog", "ship", "none"});
  CHECK(m.classes() == 4);
  CHECK(m.count(0, 1) == 2);
  CHECK(m.images(0) == 10);
  CHECK(m.predictions(0) == 14);
  CHECK(m.accuracy(0) == 80.0);
  CHECK(m.accuracy(1) == 75.0);
  CHECK(m.accuracy(2) == 0.0);
  CHECK(m.never_predicted() == std::vector<std::int64_t>{2});  // "none" has no images to find
  CHECK(m.worst(2) == std::vector<std::int64_t>{2, 1});
  const auto errors = m.confusions(2);
  REQUIRE(errors.size() == 2);
  CHECK(errors[0].label == 2);
  CHECK(errors[0].prediction == 0);
  CHECK(errors[0].count == 5);
  CHECK(errors[1].count == 2);
}

TEST_CASE("confusion: JSON has the whole matrix") {
  nlohmann::ordered_json json;
  add_json(matrix_of({{8, 2}, {4, 0}, {}}, {"cat", "dog", "none"}), json);
  CHECK(json["classes"] == nlohmann::ordered_json({"cat", "dog", "none"}));
  CHECK(json["confusion"] == nlohmann::ordered_json({{8, 2, 0}, {4, 0, 0}, {0, 0, 0}}));
  CHECK(json["per_class"][0]["accuracy"] == 80.0);
  CHECK(json["per_class"][1]["correct"] == 0);
  CHECK(json["per_class"][1]["predicted"] == 2);
  CHECK(json["per_class"][2]["images"] == 0);
  CHECK(json["per_class"][2]["accuracy"].is_null());
  CHECK(json["never_predicted"].empty());
}

TEST_CASE("confusion: a few classes are shown as a matrix, beside their accuracies") {
  CHECK(to_text(matrix_of({{8, 2, 0}, {1, 3, 0}, {5, 0, 0}}, {"cat", "dog", "ship"})) ==
        "images of each class (row) by the class they were taken for (column)\n"
        "class   top-1 %  0 1 2\n"
        "0 cat     80.00  8 2 .\n"
        "1 dog     75.00  1 3 .\n"
        "2 ship     0.00  5 . .\n"
        "never predicted, 1 of 3 classes: ship\n");
  // Classes that are called by their numbers are not numbered again.
  CHECK(to_text(matrix_of({{10, 0}, {1, 0}}, {"0", "1"})) ==
        "images of each class (row) by the class they were taken for (column)\n"
        "class  top-1 %   0  1\n"
        "0       100.00  10  .\n"
        "1         0.00   1  .\n"
        "never predicted, 1 of 2 classes: 1\n");
}

TEST_CASE("confusion: ten classes of 1,000 images fit 80 columns, with long names too") {
  std::vector<std::vector<int>> counts(10, std::vector<int>(10, 12));
  for (std::size_t c = 0; c < 10; ++c) counts[c][c] = 1234;
  const std::string text =
      to_text(matrix_of(counts, {"airplane", "automobile", "bird", "cat", "deer",
                                 "a_class_of_a_very_long_name", "frog", "horse", "ship", "truck"}));
  CHECK(text.find(" 1234") != std::string::npos);
  CHECK(text.find("5 a_class_of_a") != std::string::npos);
  CHECK(widest_line(text) <= 80);
}

TEST_CASE("confusion: of many classes the worst, and the most frequent errors, in 80 columns") {
  for (const int classes : {21, 100, 1000}) {
    CAPTURE(classes);
    const std::string text = to_text(ring(classes, 30, "a_rather_long_class_name_"));
    CHECK(text.find(message("the 10 worst of ", classes, " classes")) != std::string::npos);
    CHECK(text.find("most frequent confusions") != std::string::npos);
    CHECK(std::count(text.begin(), text.end(), '\n') <= 24);
    CHECK(widest_line(text) <= 80);
  }
  const std::string never = to_text(ring(100, 100, "c"));  // shifted: each is predicted
  CHECK(never.find("never predicted") == std::string::npos);
}

TEST_CASE("confusion: at the end of a run a few lines say it") {
  CHECK(to_short_text(matrix_of({{8, 2, 0}, {1, 3, 0}, {5, 0, 0}}, {"cat", "dog", "ship"})) ==
        "top-1 % by class  cat: 80.00, dog: 75.00, ship: 0.00\n"
        "never predicted, 1 of 3 classes: ship\n");
  for (const int classes : {10, 20, 21, 1000}) {
    const std::string text = to_short_text(ring(classes, 30, "a_rather_long_class_name_"));
    CHECK(widest_line(text) <= 80);
    CHECK(std::count(text.begin(), text.end(), '\n') <= 10);
  }
}

TEST_CASE("confusion: a class without a name is called by its number, and bytes stay whole") {
  const ConfusionMatrix m = matrix_of({{1, 0, 1}}, {"\xc3\xa4\xc3\xb6\xc3\xbc_eine_lange_Klasse"});
  CHECK(m.classes() == 3);
  CHECK(m.name(2) == "2");
  CHECK(to_text(m).find("\xc3\xa4\xc3\xb6\xc3\xbc_eine_lan..") != std::string::npos);
  CHECK_THROWS_WITH_AS(
      ConfusionMatrix(std::vector<std::int32_t>{1}, std::vector<std::int32_t>{-1}, {}),
      doctest::Contains("class -1"), Error);
}

TEST_SUITE_END();

}  // namespace octet
