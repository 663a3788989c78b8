// The C API on a model that is built as the bytes say, called as no careful program would: wrong
// sizes, null pointers, the other type of images. A call that is refused says why and writes
// nothing; one that is not gives the logits of the executor below it, within its buffers.
#include <octet/c_api.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "ir/model_file.h"
#include "runtime/executor.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/grow_graph.h"

using namespace octet;
using fuzz::require;

namespace {

constexpr std::int32_t kUntouched = 0x5a5a5a5a;

void check_refused(octet_status status) {
  require(status != OCTET_OK && status != OCTET_ERROR_INTERNAL, "refused for a reason");
  require(std::strlen(octet_error_message()) > 0, "a failing call has a message");
}

class Caller {
 public:
  Caller(const octet_model* model, const ir::Graph& graph, fuzz::Choices& choices)
      : model_(model),
        c_(choices),
        reference_(pack_model(graph, Isa::kScalar), {.max_batch = kMaxBatch}),
        is_float_(octet_model_input_type(model) == OCTET_INPUT_F32),
        pixels_(static_cast<std::size_t>(octet_model_height(model) * octet_model_width(model) *
                                         octet_model_channels(model))),
        classes_(static_cast<std::size_t>(octet_model_classes(model))) {}

  void call() {
    for (int i = 0; i < 3 && c_.left(); ++i) {
      rank();
      const std::int64_t batches[] = {
          1, 2, kMaxBatch, 0, -1, std::int64_t{1} << 31, std::numeric_limits<std::int64_t>::min()};
      const std::int64_t batch = batches[c_.in(0, 255) % std::ssize(batches)];
      const int all_threads[] = {1, 1, 1, -1, std::numeric_limits<int>::max()};
      const int threads = all_threads[c_.in(0, std::ssize(all_threads) - 1)];
      octet_executor* executor = nullptr;
      const octet_status made = octet_executor_create(model_, batch, threads, &executor);
      if (made != OCTET_OK) {
        check_refused(made);
        require(executor == nullptr, "a call that fails writes nothing");
        continue;
      }
      require(batch >= 1 && batch <= kMaxBatch && threads > 0, "sizes that cannot be are refused");
      for (int k = 0; k < 3 && c_.left(); ++k) run(executor, static_cast<std::size_t>(batch));
      octet_executor_free(executor);
    }
  }

 private:
  static constexpr std::int64_t kMaxBatch = 3;

  // A number of elements: that of so many images, or one near it, or one that overflows.
  std::size_t count(std::size_t images, std::size_t each) {
    switch (c_.in(0, 9)) {
      case 0:  // where an image has one pixel, one more is an image
        return each == 1 ? 0 : images * each + 1;
      case 1:
        return each == 1 ? 0 : images * each - 1;
      case 2:
        return 0;
      case 3:
        return std::numeric_limits<std::size_t>::max();
      case 4:  // times the size of an element, or of an image, it is small
        return std::numeric_limits<std::size_t>::max() / 4 + 1 + images * each;
      default:
        return images * each;
    }
  }

  template <class T, class Run>
  void run(octet_executor* executor, std::size_t max_batch, octet_input_type type, Run run_as) {
    const auto images = static_cast<std::size_t>(c_.in(1, kMaxBatch));
    const std::size_t images_count = count(images, pixels_), logits_count = count(images, classes_);
    std::vector<T> x(images * pixels_);
    for (T& v : x) v = static_cast<T>(c_.in(0, 255));
    std::vector<std::int32_t> logits(images * classes_, kUntouched);
    const std::int64_t null = c_.in(0, 15);
    const octet_status status =
        run_as(null == 1 ? nullptr : executor, null == 2 ? nullptr : x.data(), images_count,
               null == 3 ? nullptr : logits.data(), logits_count);
    const bool right = (null < 1 || null > 3) && images <= max_batch && images_count == x.size() &&
                       logits_count == logits.size() && (type == OCTET_INPUT_F32) == is_float_;
    require((status == OCTET_OK) == right, "what fits is computed, all else is refused");
    if (!right) {
      check_refused(status);
      require(std::count(logits.begin(), logits.end(), kUntouched) == std::ssize(logits),
              "a call that fails writes nothing");
      return;
    }
    std::vector<std::int32_t> expected(logits.size());
    reference_.run(std::span<const T>(x), static_cast<std::int64_t>(images), expected);
    require(logits == expected, "the logits are the executor's");
  }

  void run(octet_executor* executor, std::size_t max_batch) {
    const bool as_float = c_.in(0, 7) == 0 ? !is_float_ : is_float_;
    if (as_float) {
      run<float>(executor, max_batch, OCTET_INPUT_F32, octet_executor_run_f32);
    } else {
      run<std::uint8_t>(executor, max_batch, OCTET_INPUT_U8, octet_executor_run_u8);
    }
  }

  void rank() {
    std::vector<std::int32_t> logits(classes_);
    for (std::int32_t& v : logits) v = static_cast<std::int32_t>(c_.in(0, 3)) << 29;
    const auto k = static_cast<std::size_t>(c_.in(0, 24));
    std::vector<octet_prediction> best(k);
    const std::size_t given = count(1, classes_);
    const octet_status status = octet_model_top_k(model_, logits.data(), given, k, best.data());
    const bool right = given == classes_ && k >= 1 && k <= classes_;
    require((status == OCTET_OK) == right, "as many classes as there are");
    if (!right) return check_refused(status);
    for (std::size_t i = 1; i < k; ++i) {
      require(best[i - 1].logit >= best[i].logit, "the largest logits come first");
    }
    require(octet_model_class_name(model_, best[0].class_index) == best[0].class_name, "its name");
  }

  const octet_model* model_;
  fuzz::Choices& c_;
  Executor reference_;
  bool is_float_;
  std::size_t pixels_, classes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The calls first: the graph takes what is left.
  const std::size_t calls = size / 2;
  return fuzz::refuse_or_accept([&] {
    fuzz::Choices nodes(data + calls, size - calls), choices(data, calls);
    const auto graph = fuzz::grow_graph(nodes);
    if (!graph) return;
    const auto file = fuzz::must_not_throw([&] { return ir::serialize_model(*graph); });
    octet_model* model = nullptr;
    check_refused(octet_model_load_memory(nullptr, file.size(), &model));
    check_refused(octet_model_load_memory(file.data(), file.size(), nullptr));
    check_refused(octet_model_load("/nowhere/model.safetensors", &model));
    check_refused(octet_model_load(nullptr, &model));
    require(std::strlen(octet_version()) > 0, "a library has a version");
    check_refused(octet_model_load_memory(file.data(), SIZE_MAX, &model));
    check_refused(octet_executor_create(nullptr, 1, 1, nullptr));
    require(octet_model_classes(nullptr) == 0 && octet_model_name(nullptr) == nullptr &&
                octet_model_dataset(nullptr) == nullptr && octet_model_channels(nullptr) == 0 &&
                octet_model_logit_scale(nullptr) == 0.0f &&
                octet_model_class_name(nullptr, 0) == nullptr,
            "a null model has nothing");
    require(model == nullptr, "a call that fails writes nothing");
    const std::size_t cut = choices.in(0, 31) == 0 ? file.size() - 1 : file.size();
    const octet_status status = octet_model_load_memory(file.data(), cut, &model);
    require((status == OCTET_OK) == (cut == file.size()), "a whole model is loaded");
    if (status != OCTET_OK) return check_refused(status);
    fuzz::must_not_throw([&] { Caller(model, *graph, choices).call(); });
    octet_model_free(model);
  });
}
