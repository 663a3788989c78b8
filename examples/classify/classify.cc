// classify MODEL IMAGE: the three likeliest classes of a PNG or JPEG file.
#define STB_IMAGE_IMPLEMENTATION
#include <octet/runtime.h>
#include <stb/stb_image.h>

#include <cstdio>

int main(int argc, char** argv) try {
  if (argc != 3) throw std::runtime_error("usage: classify MODEL IMAGE");
  const auto model = octet::runtime::Model::load(argv[1]);
  octet::runtime::Executor executor(model);

  int width = 0, height = 0, channels_in_file = 0;
  stbi_uc* pixels =
      stbi_load(argv[2], &width, &height, &channels_in_file, static_cast<int>(model.channels()));
  if (pixels == nullptr) throw std::runtime_error(std::string(argv[2]) + " is no image");
  if (height != model.height() || width != model.width()) {
    throw std::runtime_error(std::string(argv[2]) + " does not have the size of the model's input");
  }

  std::vector<std::int32_t> logits(model.classes());
  octet::runtime::check(executor.run({pixels, model.image_size()}, logits));
  for (const octet_prediction& p : model.top_k(logits, 3)) {
    std::printf("%-20s %6.2f %%\n", p.class_name, 100.0 * p.probability);
  }
  stbi_image_free(pixels);
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
