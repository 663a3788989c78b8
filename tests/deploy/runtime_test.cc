#include <doctest/doctest.h>
#include <octet/runtime.h>

#include <cmath>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/processors.h"
#include "tests/counted_new.h"
#include "tests/deploy/models.h"

namespace octet {

using runtime::Model;
using testing::lenet_graph;
using testing::logits_of;
using testing::random_pixels;
using testing::small_graph;

TEST_SUITE_BEGIN("deploy");

namespace {

Model model_of(const ir::Graph& graph) { return Model::load(ir::serialize_model(graph)); }

octet_status status_of(const std::vector<std::byte>& bytes) {
  try {
    Model::load(bytes);
  } catch (const runtime::Error& error) {
    CHECK(std::string(error.what()) == octet_error_message());
    return error.status();
  }
  return OCTET_OK;
}

}  // namespace

TEST_CASE("runtime: a file gives the logits of the executor inside, and names") {
  const std::string path = OCTET_SOURCE_DIR "/tests/golden/lenet_int8.safetensors";
  const Model model = Model::load(path);
  CHECK(model.name() == "lenet");
  CHECK(model.dataset() == "mnist");
  CHECK(model.input_type() == OCTET_INPUT_U8);
  REQUIRE(model.image_size() == 784);
  REQUIRE(model.classes() == 10);
  CHECK(model.class_name(3) == std::string("3"));

  const auto images = random_pixels(4 * 784);
  const auto expected = logits_of(ir::read_model(path), images, 4);
  runtime::Executor executor(model, {.max_batch = 4, .threads = 0});
  std::vector<std::int32_t> logits(40);
  CHECK(executor.run(images, logits) == OCTET_OK);
  CHECK(logits == expected);

  const std::span<const std::int32_t> first(logits.data(), 10);
  const std::vector<octet_prediction> best = model.top_k(first, 10);
  REQUIRE(best.size() == 10);
  double sum = 0.0;
  for (const std::int32_t logit : first) {
    sum += std::exp(double{model.logit_scale()} * (logit - best[0].logit));
  }
  CHECK(best[0].probability == doctest::Approx(1.0 / sum));
  for (std::size_t i = 1; i < 10; ++i) CHECK(best[i - 1].logit >= best[i].logit);
}

TEST_CASE("runtime: copies of a model and executors outlive it") {
  auto model = std::make_unique<Model>(model_of(small_graph()));
  const Model copy = *model;
  runtime::Executor executor(*model);
  runtime::Executor moved = std::move(executor);
  model.reset();
  const auto pixels = random_pixels(105);
  std::vector<std::int32_t> logits(3);
  CHECK(moved.run(pixels, logits) == OCTET_OK);
  CHECK(logits == logits_of(small_graph(), pixels, 1));
  CHECK(copy.class_name(0) == std::string("cat"));
}

TEST_CASE("runtime: what is wrong is thrown with status and message, but run throws nothing") {
  CHECK_THROWS_WITH_AS(Model::load("/nowhere"),
                       "cannot open \"/nowhere\": No such file or directory", runtime::Error);
  std::vector<std::byte> bytes = ir::serialize_model(small_graph());
  bytes.pop_back();
  CHECK(status_of(bytes) == OCTET_ERROR_MODEL);
  CHECK(status_of({std::byte{1}}) == OCTET_ERROR_MODEL);

  const Model model = model_of(small_graph());
  CHECK_THROWS_AS(runtime::Executor(model, {.max_batch = 0}), runtime::Error);
  CHECK_THROWS_AS(runtime::Executor(model, {.threads = 1025}), std::runtime_error);
  std::vector<std::int32_t> logits(3);
  CHECK_THROWS_AS(model.top_k(logits, 0), runtime::Error);
  CHECK_THROWS_AS(model.top_k(logits, std::size_t{1} << 60), runtime::Error);

  runtime::Executor executor(model);
  CHECK(executor.run(random_pixels(104), logits) == OCTET_ERROR_SIZE);
  CHECK(executor.run(std::vector<float>(105), logits) == OCTET_ERROR_INPUT_TYPE);
  static_assert(noexcept(executor.run(std::span<const std::uint8_t>(), logits)));
  static_assert(noexcept(executor.run(std::span<const float>(), logits)));
  static_assert(!std::is_copy_constructible_v<runtime::Executor>);
}

TEST_CASE("runtime: run and top-k allocate nothing, whether they succeed or fail") {
  for (const ir::Graph& graph : {lenet_graph(), small_graph()}) {
    const Model model = model_of(graph);
    for (const int threads : {1, 0}) {
      runtime::Executor executor(model, {.max_batch = 2, .threads = threads});
      const std::vector<std::uint8_t> images(2 * model.image_size(), 7);
      const std::vector<float> floats(3);
      std::vector<std::int32_t> logits(2 * model.classes());
      octet_prediction best[3];
      const long before = g_allocations;
      const octet_status ran = executor.run(images, logits);
      const octet_status ranked =
          octet_model_top_k(model.get(), logits.data(), model.classes(), 3, best);
      const octet_status refused = executor.run(floats, logits);
      const long after = g_allocations;
      CHECK(after == before);
      CHECK(ran == OCTET_OK);
      CHECK(ranked == OCTET_OK);
      CHECK(refused == OCTET_ERROR_INPUT_TYPE);
    }
  }
  const std::vector<std::byte> bytes = ir::serialize_model(small_graph());
  const long before = g_allocations;
  Model::load(bytes);
  CHECK(g_allocations > before + 50);  // what the library allocates is counted
}

TEST_SUITE_END();

}  // namespace octet
