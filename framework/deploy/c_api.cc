// All of the library is compiled with hidden symbols; the shared library exports these.
#ifdef OCTET_SHARED
#pragma GCC visibility push(default)
#endif
#include <octet/c_api.h>
#ifdef OCTET_SHARED
#pragma GCC visibility pop
#endif

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/float_environment.h"
#include "base/processors.h"
#include "base/thread_pool.h"
#include "file/read_file.h"
#include "ir/model_file.h"
#include "runtime/executor.h"
#include "runtime/packed_model.h"
#include "runtime/ranking.h"

struct octet_model {
  std::shared_ptr<const octet::PackedModel> packed;
  std::vector<std::string> class_names;  // one a class, numbers where the file has none

  const octet::ir::Value& input() const { return packed->graph.value(packed->graph.input); }
  const octet::ir::Value& output() const { return packed->graph.value(packed->graph.output); }
};

struct octet_executor {
  octet::Executor executor;
  octet_input_type input_type;
  std::size_t image_size, classes, max_batch;
};

namespace octet {
namespace {

// Of this thread. An array, because a failing run allocates nothing either.
thread_local char g_message[1024] = "";

[[gnu::format(printf, 2, 3)]] octet_status fail(octet_status status, const char* pattern,
                                                ...) noexcept {
  std::va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(g_message, sizeof(g_message), pattern, arguments);
  va_end(arguments);
  return status;
}

// Runs a body that may throw; `on_error` is what an Error in it means.
template <class Body>
octet_status guard(octet_status on_error, const Body& body) noexcept {
  try {
    body();
    return OCTET_OK;
  } catch (const UsageError& error) {
    // not fuzzed: an unknown OCTET_ISA
    return fail(OCTET_ERROR_ARGUMENT, "%s", error.what());
  } catch (const Error& error) {
    return fail(on_error, "%s", error.what());
  } catch (const std::bad_alloc&) {
    // not fuzzed: the memory of the system
    return fail(OCTET_ERROR_MEMORY, "%s", "out of memory");
  } catch (const std::exception& error) {
    // not fuzzed: a fault of Octet's, which no bytes bring about
    return fail(OCTET_ERROR_INTERNAL, "%s", error.what());
  }
}

octet_status load(std::vector<std::byte> bytes, const char* source, octet_model** model) noexcept {
  ir::Graph graph;
  const octet_status parsed =
      guard(OCTET_ERROR_MODEL, [&] { graph = ir::parse_model(std::move(bytes), source); });
  if (parsed != OCTET_OK) return parsed;
  return guard(OCTET_ERROR_MEMORY, [&] {
    auto loaded = std::make_unique<octet_model>();
    loaded->class_names = graph.class_names;
    const std::int64_t classes = graph.value(graph.output).shape.numel();
    for (std::int64_t c = static_cast<std::int64_t>(loaded->class_names.size()); c < classes; ++c) {
      loaded->class_names.push_back(std::to_string(c));
    }
    loaded->packed = pack_model(graph, default_isa());
    *model = loaded.release();
  });
}

// Of the input [H, W, C], or of features [C] as [1, 1, C].
std::int64_t extent(const octet_model* model, int axis) noexcept {
  if (model == nullptr) return 0;
  const Shape& shape = model->input().shape;
  if (shape.rank() == 3) return shape[axis];
  return axis == 2 ? shape[0] : 1;
}

template <class T>
octet_status run(octet_executor* executor, octet_input_type type, const T* images,
                 std::size_t images_count, std::int32_t* logits,
                 std::size_t logits_count) noexcept {
  if (executor == nullptr || images == nullptr || logits == nullptr) {
    return fail(OCTET_ERROR_ARGUMENT, "%s is a null pointer",
                executor == nullptr ? "executor"
                : images == nullptr ? "images"
                                    : "logits");
  }
  octet_executor& e = *executor;
  if (type != e.input_type) {
    return fail(OCTET_ERROR_INPUT_TYPE, "the model takes %s, got %s",
                e.input_type == OCTET_INPUT_U8 ? "u8 pixels" : "floats",
                type == OCTET_INPUT_U8 ? "u8 pixels" : "floats");
  }
  const std::size_t batch = images_count / e.image_size;
  if (batch < 1 || batch > e.max_batch || batch * e.image_size != images_count) {
    return fail(OCTET_ERROR_SIZE,
                "images has %zu elements, expected 1 to %zu images (max_batch) of %zu each",
                images_count, e.max_batch, e.image_size);
  }
  if (logits_count != batch * e.classes) {
    return fail(OCTET_ERROR_SIZE, "logits has %zu elements, expected %zu images times %zu classes",
                logits_count, batch, e.classes);
  }
  e.executor.run(std::span(images, images_count), static_cast<std::int64_t>(batch),
                 std::span(logits, logits_count));
  return OCTET_OK;
}

}  // namespace
}  // namespace octet

using octet::fail;
using octet::guard;

const char* octet_version(void) { return OCTET_VERSION; }

const char* octet_error_message(void) { return octet::g_message; }

octet_status octet_model_load(const char* path, octet_model** model) {
  if (path == nullptr || model == nullptr) {
    return fail(OCTET_ERROR_ARGUMENT, "%s is a null pointer", path == nullptr ? "path" : "model");
  }
  std::vector<std::byte> bytes;
  const octet_status read = guard(OCTET_ERROR_FILE, [&] { bytes = octet::read_file(path); });
  return read == OCTET_OK ? octet::load(std::move(bytes), path, model) : read;
}

octet_status octet_model_load_memory(const void* bytes, size_t size_bytes, octet_model** model) {
  if (bytes == nullptr || model == nullptr) {
    return fail(OCTET_ERROR_ARGUMENT, "%s is a null pointer", bytes == nullptr ? "bytes" : "model");
  }
  if (size_bytes > PTRDIFF_MAX) {
    return fail(OCTET_ERROR_ARGUMENT, "size_bytes is %zu, more than any memory holds", size_bytes);
  }
  std::vector<std::byte> copy;
  const octet_status copied = guard(OCTET_ERROR_MEMORY, [&] {
    const auto* first = static_cast<const std::byte*>(bytes);
    copy.assign(first, first + size_bytes);
  });
  return copied == OCTET_OK ? octet::load(std::move(copy), "model in memory", model) : copied;
}

void octet_model_free(octet_model* model) { delete model; }

const char* octet_model_name(const octet_model* model) {
  return model == nullptr ? nullptr : model->packed->graph.model.c_str();
}

const char* octet_model_dataset(const octet_model* model) {
  return model == nullptr ? nullptr : model->packed->graph.dataset.c_str();
}

octet_input_type octet_model_input_type(const octet_model* model) {
  const bool floats = model != nullptr && model->input().dtype == octet::DType::kF32;
  return floats ? OCTET_INPUT_F32 : OCTET_INPUT_U8;
}

int64_t octet_model_height(const octet_model* model) { return octet::extent(model, 0); }
int64_t octet_model_width(const octet_model* model) { return octet::extent(model, 1); }
int64_t octet_model_channels(const octet_model* model) { return octet::extent(model, 2); }

int64_t octet_model_classes(const octet_model* model) {
  return model == nullptr ? 0 : static_cast<int64_t>(model->class_names.size());
}

float octet_model_logit_scale(const octet_model* model) {
  return model == nullptr ? 0.0f : model->output().qparams.scale;
}

const char* octet_model_class_name(const octet_model* model, int64_t index) {
  if (index < 0 || index >= octet_model_classes(model)) return nullptr;
  return model->class_names[static_cast<std::size_t>(index)].c_str();
}

octet_status octet_model_top_k(const octet_model* model, const int32_t* logits, size_t logits_count,
                               size_t k, octet_prediction* predictions) {
  if (model == nullptr || logits == nullptr || predictions == nullptr) {
    return fail(OCTET_ERROR_ARGUMENT, "%s is a null pointer",
                model == nullptr    ? "model"
                : logits == nullptr ? "logits"
                                    : "predictions");
  }
  const std::size_t classes = model->class_names.size();
  if (logits_count != classes) {
    return fail(OCTET_ERROR_SIZE, "logits has %zu elements, expected one image's %zu", logits_count,
                classes);
  }
  if (k < 1 || k > classes) {
    return fail(OCTET_ERROR_ARGUMENT, "k must be between 1 and %zu, the number of classes, got %zu",
                classes, k);
  }
  const octet::FloatEnvironment environment;
  octet::Ranking ranking({logits, logits_count}, model->output().qparams.scale);
  for (size_t i = 0; i < k; ++i) {
    const octet::ScoredClass one = ranking.next();
    predictions[i] = {one.index, one.logit, static_cast<float>(one.probability),
                      octet_model_class_name(model, one.index)};
  }
  return OCTET_OK;
}

octet_status octet_executor_create(const octet_model* model, int64_t max_batch, int threads,
                                   octet_executor** executor) {
  if (model == nullptr || executor == nullptr) {
    return fail(OCTET_ERROR_ARGUMENT, "%s is a null pointer",
                model == nullptr ? "model" : "executor");
  }
  if (max_batch < 1 || max_batch > INT32_MAX) {
    return fail(OCTET_ERROR_ARGUMENT, "max_batch must be between 1 and %d, got %lld", INT32_MAX,
                static_cast<long long>(max_batch));
  }
  if (threads < 0 || threads > octet::ThreadPool::kMostThreads) {
    return fail(OCTET_ERROR_ARGUMENT,
                "threads must be between 1 and %d, or 0 for all processors that this process may "
                "use; got %d",
                octet::ThreadPool::kMostThreads, threads);
  }
  return guard(OCTET_ERROR_MEMORY, [&] {
    const int wanted =
        threads > 0 ? threads
                    : std::min(octet::available_processors(), octet::ThreadPool::kMostThreads);
    octet::Executor made(model->packed, {.max_batch = max_batch, .threads = wanted});
    *executor = new octet_executor{std::move(made), octet_model_input_type(model),
                                   static_cast<std::size_t>(model->input().shape.numel()),
                                   model->class_names.size(), static_cast<std::size_t>(max_batch)};
  });
}

void octet_executor_free(octet_executor* executor) { delete executor; }

octet_status octet_executor_run_u8(octet_executor* executor, const uint8_t* images,
                                   size_t images_count, int32_t* logits, size_t logits_count) {
  return octet::run(executor, OCTET_INPUT_U8, images, images_count, logits, logits_count);
}

octet_status octet_executor_run_f32(octet_executor* executor, const float* images,
                                    size_t images_count, int32_t* logits, size_t logits_count) {
  return octet::run(executor, OCTET_INPUT_F32, images, images_count, logits, logits_count);
}
