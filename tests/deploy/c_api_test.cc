#include <doctest/doctest.h>
#include <octet/c_api.h>

#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/processors.h"
#include "tests/deploy/models.h"

namespace octet {

using testing::float_graph;
using testing::Handle;
using testing::lenet_graph;
using testing::logits_of;
using testing::random_pixels;
using testing::small_graph;

TEST_SUITE_BEGIN("deploy");

namespace {

std::string failure() { return octet_error_message(); }

bool says(const std::string& text) { return failure().find(text) != std::string::npos; }

}  // namespace

TEST_CASE("c api: pixels give the logits of the executor inside") {
  for (const ir::Graph& graph : {lenet_graph(), small_graph()}) {
    const Handle model(graph);
    const std::int64_t batch = 5;
    const auto images = random_pixels(batch * graph.value(graph.input).shape.numel());
    const auto expected = logits_of(graph, images, batch);
    for (int threads = 0; threads <= available_processors() + 2; ++threads) {
      octet_executor* executor = nullptr;
      REQUIRE(octet_executor_create(model.get(), batch, threads, &executor) == OCTET_OK);
      std::vector<std::int32_t> logits(expected.size(), -1);
      CHECK(octet_executor_run_u8(executor, images.data(), images.size(), logits.data(),
                                  logits.size()) == OCTET_OK);
      CHECK(logits == expected);
      octet_executor_free(executor);
    }
  }
}

TEST_CASE("c api: floats give the logits of the executor inside") {
  const ir::Graph graph = float_graph();
  const Handle model(graph);
  CHECK(octet_model_input_type(model.get()) == OCTET_INPUT_F32);
  const std::vector<float> image = {0.5f, -1.0f, 2.0f, 0.25f, 0.0f, 1.0f, -0.5f, 3.0f};
  std::vector<std::int32_t> logits(3, -1);
  octet_executor* executor = nullptr;
  REQUIRE(octet_executor_create(model.get(), 1, 1, &executor) == OCTET_OK);
  CHECK(octet_executor_run_f32(executor, image.data(), 8, logits.data(), 3) == OCTET_OK);
  CHECK(logits == logits_of(graph, image, 1));

  const std::vector<std::uint8_t> pixels(8);
  CHECK(octet_executor_run_u8(executor, pixels.data(), 8, logits.data(), 3) ==
        OCTET_ERROR_INPUT_TYPE);
  CHECK(failure() == "the model takes floats, got u8 pixels");
  octet_executor_free(executor);
}

TEST_CASE("c api: a model tells its names and shapes") {
  const Handle lenet(lenet_graph());
  CHECK(std::string(octet_model_name(lenet.get())) == "lenet");
  CHECK(std::string(octet_model_dataset(lenet.get())) == "mnist");
  CHECK(octet_model_input_type(lenet.get()) == OCTET_INPUT_U8);
  CHECK(octet_model_height(lenet.get()) == 28);
  CHECK(octet_model_width(lenet.get()) == 28);
  CHECK(octet_model_channels(lenet.get()) == 1);
  CHECK(octet_model_classes(lenet.get()) == 10);
  CHECK(octet_model_logit_scale(lenet.get()) > 0.0f);
  CHECK(std::string(octet_model_class_name(lenet.get(), 9)) == "9");
  CHECK(octet_model_class_name(lenet.get(), 10) == nullptr);
  CHECK(octet_model_class_name(lenet.get(), -1) == nullptr);

  const Handle features(float_graph());  // [8] floats, no class names
  CHECK(octet_model_height(features.get()) == 1);
  CHECK(octet_model_width(features.get()) == 1);
  CHECK(octet_model_channels(features.get()) == 8);
  CHECK(std::string(octet_model_class_name(features.get(), 2)) == "2");
}

TEST_CASE("c api: top-k by falling logits, the lowest index first among equals") {
  const Handle model(small_graph());
  const std::vector<std::int32_t> logits = {7, 900, 7};
  octet_prediction best[3];
  REQUIRE(octet_model_top_k(model.get(), logits.data(), 3, 3, best) == OCTET_OK);
  CHECK(best[0].class_index == 1);
  CHECK(std::string(best[0].class_name) == "dog");
  CHECK(best[0].logit == 900);
  CHECK(best[1].class_index == 0);
  CHECK(best[2].class_index == 2);
  CHECK(best[1].probability == best[2].probability);
  CHECK(best[0].probability > best[1].probability);
  CHECK(best[0].probability + 2.0f * best[1].probability == doctest::Approx(1.0));
  const std::vector<std::int32_t> far = {std::numeric_limits<std::int32_t>::min(),
                                         std::numeric_limits<std::int32_t>::max(), 0};
  REQUIRE(octet_model_top_k(model.get(), far.data(), 3, 1, best) == OCTET_OK);
  CHECK(best[0].probability == 1.0f);

  CHECK(octet_model_top_k(model.get(), logits.data(), 2, 1, best) == OCTET_ERROR_SIZE);
  CHECK(octet_model_top_k(model.get(), logits.data(), 3, 0, best) == OCTET_ERROR_ARGUMENT);
  CHECK(octet_model_top_k(model.get(), logits.data(), 3, 4, best) == OCTET_ERROR_ARGUMENT);
  CHECK(failure() == "k must be between 1 and 3, the number of classes, got 4");
}

TEST_CASE("c api: models that are not there, truncated or damaged are refused") {
  octet_model* model = nullptr;
  CHECK(octet_model_load("/nowhere/model.safetensors", &model) == OCTET_ERROR_FILE);
  CHECK(says("/nowhere/model.safetensors"));
  CHECK(octet_model_load("/", &model) == OCTET_ERROR_FILE);
  CHECK(octet_model_load(OCTET_SOURCE_DIR "/README.md", &model) == OCTET_ERROR_MODEL);
  CHECK(says("README.md"));

  std::vector<std::byte> bytes = ir::serialize_model(small_graph());
  for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 8) {
    CAPTURE(size);
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<long>(size));
    const std::byte none{};
    CHECK(octet_model_load_memory(size == 0 ? &none : cut.data(), size, &model) ==
          OCTET_ERROR_MODEL);
    CHECK(says("model in memory"));
  }
  bytes[bytes.size() - 3] ^= std::byte{4};
  CHECK(octet_model_load_memory(bytes.data(), bytes.size(), &model) == OCTET_ERROR_MODEL);
  CHECK(says("damaged"));
  CHECK(model == nullptr);  // what fails writes nothing
}

TEST_CASE("c api: an instruction set that is not there is refused") {
  const std::vector<std::byte> bytes = ir::serialize_model(small_graph());
  const char* before = std::getenv("OCTET_ISA");
  const std::string kept = before == nullptr ? "" : before;
  setenv("OCTET_ISA", "avx3", 1);
  octet_model* model = nullptr;
  CHECK(octet_model_load_memory(bytes.data(), bytes.size(), &model) == OCTET_ERROR_ARGUMENT);
  CHECK(says("unknown instruction set \"avx3\""));
  setenv("OCTET_ISA", kept.c_str(), 1);  // empty: not set
}

TEST_CASE("c api: null pointers are refused") {
  octet_model* model = nullptr;
  octet_executor* executor = nullptr;
  CHECK(octet_model_load(nullptr, &model) == OCTET_ERROR_ARGUMENT);
  CHECK(octet_model_load("x", nullptr) == OCTET_ERROR_ARGUMENT);
  CHECK(octet_model_load_memory(nullptr, 5, &model) == OCTET_ERROR_ARGUMENT);
  CHECK(octet_model_load_memory("12345", 5, nullptr) == OCTET_ERROR_ARGUMENT);
  CHECK(octet_executor_create(nullptr, 1, 1, &executor) == OCTET_ERROR_ARGUMENT);
  CHECK(failure() == "model is a null pointer");
  const Handle small(small_graph());
  CHECK(octet_executor_create(small.get(), 1, 1, nullptr) == OCTET_ERROR_ARGUMENT);
  REQUIRE(octet_executor_create(small.get(), 1, 1, &executor) == OCTET_OK);
  std::uint8_t pixels[105] = {};
  std::int32_t logits[3];
  CHECK(octet_executor_run_u8(nullptr, pixels, 105, logits, 3) == OCTET_ERROR_ARGUMENT);
  CHECK(octet_executor_run_u8(executor, nullptr, 105, logits, 3) == OCTET_ERROR_ARGUMENT);
  CHECK(octet_executor_run_u8(executor, pixels, 105, nullptr, 3) == OCTET_ERROR_ARGUMENT);
  CHECK(failure() == "logits is a null pointer");
  octet_prediction best;
  CHECK(octet_model_top_k(nullptr, logits, 3, 1, &best) == OCTET_ERROR_ARGUMENT);
  CHECK(octet_model_top_k(small.get(), nullptr, 3, 1, &best) == OCTET_ERROR_ARGUMENT);
  CHECK(octet_model_top_k(small.get(), logits, 3, 1, nullptr) == OCTET_ERROR_ARGUMENT);
  octet_executor_free(executor);
  octet_executor_free(nullptr);
  octet_model_free(nullptr);
}

TEST_CASE("c api: a null model has no names, no sizes and no classes") {
  CHECK(octet_model_name(nullptr) == nullptr);
  CHECK(octet_model_dataset(nullptr) == nullptr);
  CHECK(octet_model_input_type(nullptr) == OCTET_INPUT_U8);
  CHECK(octet_model_height(nullptr) == 0);
  CHECK(octet_model_width(nullptr) == 0);
  CHECK(octet_model_channels(nullptr) == 0);
  CHECK(octet_model_classes(nullptr) == 0);
  CHECK(octet_model_logit_scale(nullptr) == 0.0f);
  CHECK(octet_model_class_name(nullptr, 0) == nullptr);
}

TEST_CASE("c api: numbers of elements up to the largest there is are refused, not read") {
  const Handle model(small_graph());
  const std::uint8_t pixels[105] = {};
  std::int32_t logits[3] = {-1, -1, -1};
  octet_prediction best = {};
  octet_model* loaded = nullptr;
  octet_executor* executor = nullptr;
  REQUIRE(octet_executor_create(model.get(), 2, 1, &executor) == OCTET_OK);
  for (const std::size_t count : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 105 * 105}) {
    CAPTURE(count);
    CHECK(octet_executor_run_u8(executor, pixels, count, logits, 3) == OCTET_ERROR_SIZE);
    CHECK(octet_executor_run_u8(executor, pixels, 105, logits, count) == OCTET_ERROR_SIZE);
    CHECK(octet_model_top_k(model.get(), logits, count, 1, &best) == OCTET_ERROR_SIZE);
    CHECK(octet_model_top_k(model.get(), logits, 3, count, &best) == OCTET_ERROR_ARGUMENT);
  }
  CHECK(octet_model_load_memory(pixels, SIZE_MAX, &loaded) == OCTET_ERROR_ARGUMENT);
  CHECK(says("size_bytes is " + std::to_string(SIZE_MAX)));
  CHECK(loaded == nullptr);
  CHECK(logits[0] == -1);
  octet_executor_free(executor);
}

TEST_CASE("c api: batches and threads out of range are refused") {
  const Handle model(small_graph());
  octet_executor* executor = nullptr;
  const auto create = [&](std::int64_t max_batch, int threads) {
    return octet_executor_create(model.get(), max_batch, threads, &executor);
  };
  CHECK(create(0, 1) == OCTET_ERROR_ARGUMENT);
  CHECK(create(-1, 1) == OCTET_ERROR_ARGUMENT);
  CHECK(create(1, -1) == OCTET_ERROR_ARGUMENT);
  CHECK(create(1, 1025) == OCTET_ERROR_ARGUMENT);
  CHECK(failure() ==
        "threads must be between 1 and 1024, or 0 for all processors that this process may use; "
        "got 1025");
  CHECK(create(1, std::numeric_limits<int>::max()) == OCTET_ERROR_ARGUMENT);
  CHECK(create(std::int64_t{1} << 31, 1) == OCTET_ERROR_ARGUMENT);
  CHECK(create(std::numeric_limits<std::int64_t>::max(), 1) == OCTET_ERROR_ARGUMENT);
  CHECK(failure() == "max_batch must be between 1 and 2147483647, got 9223372036854775807");
  CHECK(executor == nullptr);
  // As many images as are allowed either fit the memory or are refused.
  const octet_status most = create((std::int64_t{1} << 31) - 1, 1);
  CHECK((most == OCTET_OK || most == OCTET_ERROR_MEMORY));
  octet_executor_free(executor);
}

TEST_CASE("c api: buffers of another size are refused and left alone") {
  const Handle model(small_graph());  // 105 elements, 3 classes
  octet_executor* executor = nullptr;
  REQUIRE(octet_executor_create(model.get(), 2, 1, &executor) == OCTET_OK);
  const std::vector<std::uint8_t> pixels(315);
  std::vector<std::int32_t> logits(9, -1);
  const auto run = [&](std::size_t images_count, std::size_t logits_count) {
    return octet_executor_run_u8(executor, pixels.data(), images_count, logits.data(),
                                 logits_count);
  };
  for (const std::size_t count : {0, 1, 104, 106, 209, 315}) {
    CAPTURE(count);
    CHECK(run(count, 3) == OCTET_ERROR_SIZE);
    CHECK(failure() == "images has " + std::to_string(count) +
                           " elements, expected 1 to 2 images (max_batch) of 105 each");
  }
  for (const std::size_t count : {0, 1, 3, 5, 7, 9}) {
    CHECK(run(210, count) == OCTET_ERROR_SIZE);
    CHECK(failure() ==
          "logits has " + std::to_string(count) + " elements, expected 2 images times 3 classes");
  }
  CHECK(logits == std::vector<std::int32_t>(9, -1));
  CHECK(run(210, 6) == OCTET_OK);
  octet_executor_free(executor);
}

TEST_CASE("c api: many threads run executors of one model that is freed meanwhile") {
  const ir::Graph graph = lenet_graph();
  const auto images = random_pixels(3 * 784);
  const auto expected = logits_of(graph, images, 3);
  const std::vector<std::byte> bytes = ir::serialize_model(graph);
  octet_model* model = nullptr;
  REQUIRE(octet_model_load_memory(bytes.data(), bytes.size(), &model) == OCTET_OK);

  constexpr int kThreads = 8;
  std::vector<octet_executor*> executors(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    REQUIRE(octet_executor_create(model, 3, i % 2, &executors[static_cast<std::size_t>(i)]) ==
            OCTET_OK);
  }
  octet_model_free(model);
  std::vector<int> wrong(kThreads, 0);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      std::vector<std::int32_t> logits(expected.size());
      for (int round = 0; round < 20; ++round) {
        const bool ran = octet_executor_run_u8(executors[i], images.data(), images.size(),
                                               logits.data(), logits.size()) == OCTET_OK;
        if (!ran || logits != expected) ++wrong[i];
      }
      // A failure is told to the thread that had it, to no other.
      octet_executor_run_u8(executors[i], images.data(), 784 + i, logits.data(), 10);
      if (i > 0 && !says("images has " + std::to_string(784 + i))) ++wrong[i];
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(kThreads, 0));
  for (octet_executor* executor : executors) octet_executor_free(executor);
}

TEST_SUITE_END();

}  // namespace octet
