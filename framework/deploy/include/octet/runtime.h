// Octet's runtime for C++20: loads an integer model and runs it, on integers only, on the CPU.
//
//   const auto model = octet::runtime::Model::load("model_int8.safetensors");
//   octet::runtime::Executor executor(model);
//   std::vector<std::int32_t> logits(model.classes());
//   if (executor.run(pixels, logits) != OCTET_OK) ...
//   std::puts(model.top_k(logits, 1)[0].class_name);
//
// Everything here is inline over the C API, so the library and a program that uses it need not come
// from the same compiler or C++ library.
#pragma once

#include <octet/c_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace octet::runtime {

// What loading and preparing throw. The message says what is wrong, where, and what to do.
class Error : public std::runtime_error {
 public:
  Error(octet_status status, const char* message) : std::runtime_error(message), status_(status) {}
  octet_status status() const noexcept { return status_; }

 private:
  octet_status status_;
};

// Throws Error with octet_error_message() unless the call of the C API succeeded.
inline void check(octet_status status) {
  if (status != OCTET_OK) throw Error(status, octet_error_message());
}

// A loaded model. Immutable; copies share it, and any number of threads may use it at once.
class Model {
 public:
  // From a file, or from its bytes, which are not needed afterwards. Throw Error: not there, not a
  // model, truncated, damaged, of another version, OCTET_ISA names what this CPU lacks.
  static Model load(const std::string& path) {
    octet_model* model = nullptr;
    check(octet_model_load(path.c_str(), &model));
    return Model(model);
  }
  static Model load(std::span<const std::byte> bytes) {
    octet_model* model = nullptr;
    check(octet_model_load_memory(bytes.data(), bytes.size(), &model));
    return Model(model);
  }

  // What it was trained as, and on.
  std::string name() const { return octet_model_name(get()); }
  std::string dataset() const { return octet_model_dataset(get()); }

  // Its input: images [height, width, channels] of pixels or floats, channels innermost.
  octet_input_type input_type() const noexcept { return octet_model_input_type(get()); }
  std::int64_t height() const noexcept { return octet_model_height(get()); }
  std::int64_t width() const noexcept { return octet_model_width(get()); }
  std::int64_t channels() const noexcept { return octet_model_channels(get()); }
  std::size_t image_size() const noexcept {  // elements of one image
    return static_cast<std::size_t>(height() * width() * channels());
  }

  // Its output: one logit a class; the real logit is logit_scale() times the integer.
  std::size_t classes() const noexcept {
    return static_cast<std::size_t>(octet_model_classes(get()));
  }
  float logit_scale() const noexcept { return octet_model_logit_scale(get()); }

  // The name of a class, its number where the model has no names; null if there is no such class.
  // Lives as long as the model or a copy of it.
  const char* class_name(std::int64_t index) const noexcept {
    return octet_model_class_name(get(), index);
  }

  // The k classes with the largest of one image's logits, the largest first. Throws Error unless
  // there is a logit for each class and 1 <= k <= classes().
  std::vector<octet_prediction> top_k(std::span<const std::int32_t> logits, std::size_t k) const {
    std::vector<octet_prediction> best(k <= classes() ? k : 0);  // a wrong k is refused below
    check(octet_model_top_k(get(), logits.data(), logits.size(), k, best.data()));
    return best;
  }

  const octet_model* get() const noexcept { return model_.get(); }

 private:
  explicit Model(octet_model* model) : model_(model, octet_model_free) {}

  std::shared_ptr<const octet_model> model_;
};

struct ExecutorOptions {
  std::int64_t max_batch = 1;  // images per run, at most
  int threads = 1;             // 0: as many as this process may use processors
};

// Runs a model. Many executors may share one model; each is used by one thread at a time.
class Executor {
 public:
  // Allocates all memory that `run` needs. Throws Error if an option is out of range.
  explicit Executor(const Model& model, ExecutorOptions options = {}) {
    octet_executor* executor = nullptr;
    check(octet_executor_create(model.get(), options.max_batch, options.threads, &executor));
    executor_.reset(executor);
  }

  // images: [batch, height, width, channels], 1 <= batch <= max_batch. logits: [batch, classes].
  // Throws nothing, and allocates only when it starts threads, once: anything but OCTET_OK says
  // that a size or the type of the input is wrong, and octet_error_message() which.
  [[nodiscard]] octet_status run(std::span<const std::uint8_t> images,
                                 std::span<std::int32_t> logits) noexcept {
    return octet_executor_run_u8(executor_.get(), images.data(), images.size(), logits.data(),
                                 logits.size());
  }
  [[nodiscard]] octet_status run(std::span<const float> images,
                                 std::span<std::int32_t> logits) noexcept {
    return octet_executor_run_f32(executor_.get(), images.data(), images.size(), logits.data(),
                                  logits.size());
  }

 private:
  struct Free {
    void operator()(octet_executor* executor) const noexcept { octet_executor_free(executor); }
  };
  std::unique_ptr<octet_executor, Free> executor_;
};

}  // namespace octet::runtime
