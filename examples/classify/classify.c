/* classify_c MODEL IMAGE: the likeliest class of a PNG or JPEG file, in C99. */
#define STB_IMAGE_IMPLEMENTATION
#include <octet/c_api.h>
#include <stb/stb_image.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char* what, const char* why) {
  fprintf(stderr, "error: %s: %s\n", what, why);
  return EXIT_FAILURE;
}

int main(int argc, char** argv) {
  if (argc != 3) return fail("usage", "classify_c MODEL IMAGE");
  octet_model* model = NULL;
  octet_executor* executor = NULL;
  if (octet_model_load(argv[1], &model) != OCTET_OK ||
      octet_executor_create(model, 1, 1, &executor) != OCTET_OK) {
    return fail("model", octet_error_message());
  }

  const int channels = (int)octet_model_channels(model);
  int width = 0, height = 0, channels_in_file = 0;
  stbi_uc* pixels = stbi_load(argv[2], &width, &height, &channels_in_file, channels);
  if (pixels == NULL) return fail(argv[2], stbi_failure_reason());
  if (height != octet_model_height(model) || width != octet_model_width(model)) {
    return fail(argv[2], "does not have the size of the model's input");
  }

  const size_t pixels_count = (size_t)height * (size_t)width * (size_t)channels;
  const size_t classes = (size_t)octet_model_classes(model);
  int32_t* logits = calloc(classes, sizeof *logits);
  octet_prediction best;
  if (logits == NULL ||
      octet_executor_run_u8(executor, pixels, pixels_count, logits, classes) != OCTET_OK ||
      octet_model_top_k(model, logits, classes, 1, &best) != OCTET_OK) {
    return fail(argv[2], octet_error_message());
  }
  printf("%-20s %6.2f %%\n", best.class_name, 100.0 * best.probability);

  free(logits);
  stbi_image_free(pixels);
  octet_executor_free(executor);
  octet_model_free(model);
  return EXIT_SUCCESS;
}
