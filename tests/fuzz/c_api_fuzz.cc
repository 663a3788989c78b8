// The C API, with a model in memory: a status says what is wrong, and what a loaded model says of
// itself can be asked for.
#include <octet/c_api.h>

#include <cstring>
#include <vector>

#include "ir/model_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/run_graph.h"
#include "tests/fuzz/signed_file.h"

using namespace octet;
using fuzz::require;

namespace {

constexpr std::int64_t kSmall = 1 << 14;

void use(const octet_model* model, bool is_small) {
  const std::int64_t classes = octet_model_classes(model);
  require(classes >= 1 && octet_model_class_name(model, classes) == nullptr, "classes are counted");
  for (std::int64_t i = 0; i < classes; ++i) {
    require(octet_model_class_name(model, i) != nullptr, "each class has a name");
  }
  require(octet_model_name(model) != nullptr && octet_model_dataset(model) != nullptr, "names");
  require(octet_model_logit_scale(model) > 0.0f, "a scale is positive");
  const std::vector<std::int32_t> logits(static_cast<std::size_t>(classes), 7);
  octet_prediction best{};
  require(octet_model_top_k(model, logits.data(), logits.size(), 1, &best) == OCTET_OK &&
              best.class_index == 0,
          "of equal logits the first class is the best");

  const std::int64_t pixels = octet_model_height(model) * octet_model_width(model);
  if (pixels > kSmall || octet_model_channels(model) > 64) return;
  octet_executor* executor = nullptr;
  // What lies between may still be huge: then there is no memory for it.
  if (octet_executor_create(model, 1, 1, &executor) != OCTET_OK) return;
  if (is_small) {
    const auto count = static_cast<std::size_t>(pixels * octet_model_channels(model));
    std::vector<std::int32_t> result(logits.size());
    const octet_status status =
        octet_model_input_type(model) == OCTET_INPUT_U8
            ? octet_executor_run_u8(executor, std::vector<std::uint8_t>(count, 9).data(), count,
                                    result.data(), result.size())
            : octet_executor_run_f32(executor, std::vector<float>(count, 1e30f).data(), count,
                                     result.data(), result.size());
    require(status == OCTET_OK, "what is loaded runs");
  }
  octet_executor_free(executor);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::refuse_or_accept([&] {
    const auto file = fuzz::with_right_digest(fuzz::to_bytes(data, size));
    octet_model* model = nullptr;
    const octet_status status = octet_model_load_memory(file.data(), file.size(), &model);
    if (status == OCTET_OK) {
      const ir::Graph graph = fuzz::must_not_throw([&] { return ir::parse_model(file, "again"); });
      use(model, fuzz::is_little_work(graph));
      octet_model_free(model);
      return;
    }
    require(model == nullptr, "a call that fails writes nothing");
    require(status != OCTET_ERROR_INTERNAL, "no fault of Octet's");
    require(std::strlen(octet_error_message()) > 0, "a failing call has a message");
  });
}
