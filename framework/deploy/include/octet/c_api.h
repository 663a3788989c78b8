/* The C API of Octet's runtime: integer models on integers only, on the CPU. C99 and later, and
 * C++.
 *
 * octet_model_load reads a model; octet_executor_create prepares it for a number of images and
 * threads; octet_executor_run_u8 computes. <octet/runtime.h> is the same for C++.
 *
 * A function that can fail returns an octet_status; octet_error_message() then says, in one line,
 * what is wrong, what was expected and what to do. Where it fails it writes nothing to its outputs.
 * What asks a null model for something gets 0 or null. No function prints or ends the program, and
 * no C++ exception leaves one.
 */
#ifndef OCTET_C_API_H_
#define OCTET_C_API_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The values are part of the interface: they never change. */
typedef enum octet_status {
  OCTET_OK = 0,
  OCTET_ERROR_ARGUMENT = 1,   /* a null pointer, a number out of range, an unknown OCTET_ISA */
  OCTET_ERROR_SIZE = 2,       /* a buffer that does not have the size the model asks for */
  OCTET_ERROR_INPUT_TYPE = 3, /* pixels for a model that takes floats, or the reverse */
  OCTET_ERROR_FILE = 4,       /* the file is not there or cannot be read */
  OCTET_ERROR_MODEL = 5,      /* not a model, truncated, damaged, or of another version */
  OCTET_ERROR_MEMORY = 6,     /* the memory cannot be had */
  OCTET_ERROR_INTERNAL = 7    /* a fault of Octet's */
} octet_status;

typedef enum octet_input_type {
  OCTET_INPUT_U8 = 0, /* pixels, 0 to 255 */
  OCTET_INPUT_F32 = 1 /* floats, normalized as in training */
} octet_input_type;

/* A model, its weights packed for this CPU. Immutable: any number of threads may use it at once. */
typedef struct octet_model octet_model;

/* Runs a model. Has memory of its own, so one thread at a time may use it. */
typedef struct octet_executor octet_executor;

/* One class as a model rates an image. */
typedef struct octet_prediction {
  int32_t class_index;
  int32_t logit;
  float probability;      /* softmax over all classes */
  const char* class_name; /* octet_model_class_name */
} octet_prediction;

/* The version of the library, "0.1.0". */
const char* octet_version(void);

/* What the last call that failed in this thread has to say; valid until the next one fails. */
const char* octet_error_message(void);

/* Loads an integer model (model_int8.safetensors) from a file or from memory, verifies all of it
 * (bounds, SHA-256, the graph and its arithmetic) and packs its weights for the best instruction
 * set of this CPU, or the one that the environment variable OCTET_ISA names. `bytes` may be freed
 * afterwards. *model is freed by octet_model_free. */
octet_status octet_model_load(const char* path, octet_model** model);
octet_status octet_model_load_memory(const void* bytes, size_t size_bytes, octet_model** model);

/* Executors of the model go on: they keep what they need. Null does nothing. */
void octet_model_free(octet_model* model);

/* What the model was trained as, and on: "resnet20", "cifar10". Texts of a model live as long. */
const char* octet_model_name(const octet_model* model);
const char* octet_model_dataset(const octet_model* model);

/* Its input: images [height, width, channels], channels innermost. Where a model takes plain
 * features, height and width are 1. */
octet_input_type octet_model_input_type(const octet_model* model);
int64_t octet_model_height(const octet_model* model);
int64_t octet_model_width(const octet_model* model);
int64_t octet_model_channels(const octet_model* model);

/* Its output: one integer logit for each class. The real logit is scale * integer. */
int64_t octet_model_classes(const octet_model* model);
float octet_model_logit_scale(const octet_model* model);

/* The name of class 0 <= index < classes: the one in the model file, or the number itself where it
 * has none. Null for any other index. */
const char* octet_model_class_name(const octet_model* model, int64_t index);

/* The k classes with the largest logits of one image, the largest first; of equal ones the lowest
 * index comes first. Allocates nothing. logits_count is the number of classes, 1 <= k <= classes.
 */
octet_status octet_model_top_k(const octet_model* model, const int32_t* logits, size_t logits_count,
                               size_t k, octet_prediction* predictions);

/* Prepares a model to run on up to max_batch images per call, on `threads` threads: 1 to 1024, or 0
 * for as many as there are processors that this process may use (its affinity, and the quota of its
 * control group). More than those are allowed and gain nothing. Memory is allocated here. Results
 * depend on neither. Many executors may share a model. */
octet_status octet_executor_create(const octet_model* model, int64_t max_batch, int threads,
                                   octet_executor** executor);
/* Ends the executor's threads. Null does nothing. */
void octet_executor_free(octet_executor* executor);

/* Runs on 1 to max_batch images, as many as `images` holds:
 *   images: [batch, height, width, channels]      images_count = batch * height * width * channels
 *   logits: [batch, classes]                      logits_count = batch * classes
 * The images are pixels or floats, as octet_model_input_type says. With one thread no other is
 * used; with more the executor starts them at the first run that needs them, and only then memory
 * is allocated. Where the system gives no threads, fewer do the work. In a child of fork() the
 * executor starts threads of its own. */
octet_status octet_executor_run_u8(octet_executor* executor, const uint8_t* images,
                                   size_t images_count, int32_t* logits, size_t logits_count);
octet_status octet_executor_run_f32(octet_executor* executor, const float* images,
                                    size_t images_count, int32_t* logits, size_t logits_count);

#ifdef __cplusplus
}
#endif

#endif /* OCTET_C_API_H_ */
