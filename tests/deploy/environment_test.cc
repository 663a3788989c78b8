// A model gives the same logits whatever the process around the library has set.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/deploy/models.h"
#include "tests/odd_environments.h"

namespace octet {

using testing::float_graph;
using testing::kOddControls;
using testing::kUsualControl;
using testing::lenet_graph;
using testing::OddLocale;
using testing::random_pixels;
using testing::ScopedFloatControl;
using testing::small_graph;

TEST_SUITE_BEGIN("deploy");

namespace {

struct Outcome {
  octet_status load = OCTET_OK, run = OCTET_OK;
  std::vector<std::int32_t> logits;
  float probability = 0.0f;
  bool operator==(const Outcome&) const = default;
};

// Loads the file and runs `images` on it.
template <class T>
Outcome outcome_of(const std::vector<std::byte>& file, const std::vector<T>& images,
                   std::int64_t batch, std::size_t logits) {
  Outcome outcome;
  octet_model* model = nullptr;
  outcome.load = octet_model_load_memory(file.data(), file.size(), &model);
  if (outcome.load != OCTET_OK) return outcome;
  octet_executor* executor = nullptr;
  octet_executor_create(model, batch, 0, &executor);
  outcome.logits.assign(logits, -1);
  if constexpr (std::is_same_v<T, float>) {
    outcome.run = octet_executor_run_f32(executor, images.data(), images.size(),
                                         outcome.logits.data(), logits);
  } else {
    outcome.run = octet_executor_run_u8(executor, images.data(), images.size(),
                                        outcome.logits.data(), logits);
  }
  octet_prediction best;
  octet_model_top_k(model, outcome.logits.data(), logits / static_cast<std::size_t>(batch), 1,
                    &best);
  outcome.probability = best.probability;
  octet_executor_free(executor);
  octet_model_free(model);
  return outcome;
}

// That neither locale nor floating-point settings change the file or the outcome.
template <class T>
void check_everywhere(const ir::Graph& graph, const std::vector<T>& images, std::int64_t batch) {
  const std::size_t logits =
      static_cast<std::size_t>(batch * graph.value(graph.output).shape.numel());
  const std::vector<std::byte> file = ir::serialize_model(graph);
  const Outcome expected = outcome_of(file, images, batch, logits);
  REQUIRE(expected.load == OCTET_OK);
  REQUIRE(expected.run == OCTET_OK);
  {
    const OddLocale locale;
    CHECK(ir::serialize_model(graph) == file);
    CHECK(outcome_of(file, images, batch, logits) == expected);
  }
  for (const auto& odd : kOddControls) {
    CAPTURE(std::string(odd.name));
    std::vector<std::byte> written;
    Outcome outcome;
    {
      const ScopedFloatControl control(odd.bits);
      written = ir::serialize_model(graph);
      outcome = outcome_of(file, images, batch, logits);
    }
    CHECK(written == file);
    CHECK(outcome == expected);
  }
}

}  // namespace

TEST_CASE("environment: models of pixels load and run alike under any locale and rounding") {
  for (const ir::Graph& graph : {lenet_graph(), small_graph()}) {
    check_everywhere(graph, random_pixels(3 * graph.value(graph.input).shape.numel()), 3);
  }
}

TEST_CASE("environment: models of floats load and run alike under any locale and rounding") {
  std::vector<float> images;
  for (int i = 0; i < 16 * 8; ++i) images.push_back(std::sin(static_cast<float>(i)));
  check_everywhere(float_graph(), images, 16);
}

TEST_SUITE_END();

}  // namespace octet
