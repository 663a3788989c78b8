#include "eval/classify_images.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <span>

#include "base/error.h"
#include "base/text.h"
#include "datasets/image_file.h"
#include "file/printable.h"
#include "file/read_file.h"
#include "runtime/executor.h"

namespace octet {
namespace {

// "32 x 24 pixels in colour"
std::string describe(const Shape& shape) {
  return message(shape[1], " x ", shape[0], " pixels in ", shape[2] == 1 ? "grey" : "colour");
}

// The input of a graph, which must be one that image files can have.
Shape image_shape(const ir::Graph& graph) {
  const ir::Value& input = graph.value(graph.input);
  OCTET_CHECK(input.dtype == DType::kU8 && input.shape.rank() == 3 &&
                  (input.shape[2] == 1 || input.shape[2] == 3),
              "this model cannot classify image files: it takes ", name_of(input.dtype), " ",
              input.shape, ", expected U8 [height, width, 1 or 3]");
  return input.shape;
}

std::vector<std::uint8_t> read_image(const std::string& path, const Shape& shape, bool convert) {
  const std::string name = message("\"", printable(path), "\"");
  const std::vector<std::byte> bytes = read_file(path, kMaxImageFileBytes);
  Image image = decode_image(bytes, convert ? static_cast<int>(shape[2]) : 0, name);
  if (convert && image.shape != shape) image = resize(image, shape[0], shape[1]);
  OCTET_CHECK(image.shape == shape, name, ": the model takes images of ", describe(shape),
              ", this one has ", describe(image.shape), "; --resize converts such images");
  return std::move(image.pixels);
}

}  // namespace

bool names_an_image(const std::string& word) {
  std::string extension = std::filesystem::path(word).extension().string();
  for (char& c : extension) c = to_lower(c);
  const char* const known[] = {".png",  ".jpg", ".jpeg", ".bmp", ".gif",  ".webp", ".tif",
                               ".tiff", ".pgm", ".ppm",  ".pnm", ".heic", ".avif"};
  return std::find(std::begin(known), std::end(known), extension) != std::end(known);
}

std::vector<ClassifiedImage> classify_images(const ir::Graph& graph,
                                             const std::vector<std::string>& paths,
                                             const ClassifyOptions& options) {
  const Shape shape = image_shape(graph);
  std::vector<std::uint8_t> pixels;
  for (const std::string& path : paths) {
    const std::vector<std::uint8_t> image = read_image(path, shape, options.resize);
    pixels.insert(pixels.end(), image.begin(), image.end());
  }

  const auto size = static_cast<std::size_t>(shape.numel());
  const ir::Value& output = graph.value(graph.output);
  const auto classes = static_cast<std::size_t>(output.shape.numel());
  const std::size_t batch = std::min(static_cast<std::size_t>(options.batch), paths.size());
  Executor executor(pack_model(graph, options.isa),
                    {.max_batch = static_cast<std::int64_t>(batch), .threads = options.threads});
  std::vector<std::int32_t> logits(paths.size() * classes);
  for (std::size_t first = 0; first < paths.size(); first += batch) {
    const std::size_t count = std::min(batch, paths.size() - first);
    executor.run(std::span<const std::uint8_t>(pixels.data() + first * size, count * size),
                 static_cast<std::int64_t>(count),
                 std::span(logits.data() + first * classes, count * classes));
  }

  std::vector<ClassifiedImage> images;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    ClassifiedImage image{paths[i], {}};
    Ranking ranking({logits.data() + i * classes, classes}, output.qparams.scale);
    for (std::size_t k = 0; k < std::min(classes, static_cast<std::size_t>(options.top)); ++k) {
      image.best.push_back(ranking.next());
    }
    images.push_back(std::move(image));
  }
  return images;
}

std::string class_name(const ir::Graph& graph, std::int32_t index) {
  if (graph.class_names.empty()) return std::to_string(index);
  return graph.class_names[static_cast<std::size_t>(index)];
}

std::string to_text(const ir::Graph& graph, const std::vector<ClassifiedImage>& images) {
  std::size_t width = 0;
  for (const ClassifiedImage& image : images) width = std::max(width, image.path.size());
  std::string text;
  for (const ClassifiedImage& image : images) {
    std::string line = printable(image.path, 4096);
    line.resize(std::max(line.size(), width), ' ');
    for (std::size_t i = 0; i < image.best.size(); ++i) {
      line += (i == 0 ? "  " : ", ") + class_name(graph, image.best[i].index) +
              format(" %.2f %%", 100.0 * image.best[i].probability);
    }
    text += line + "\n";
  }
  return text;
}

nlohmann::ordered_json to_json(const ir::Graph& graph, const std::vector<ClassifiedImage>& images) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const ClassifiedImage& image : images) {
    nlohmann::ordered_json best = nlohmann::ordered_json::array();
    for (const ScoredClass& one : image.best) {
      best.push_back({{"class", class_name(graph, one.index)},
                      {"index", one.index},
                      {"logit", one.logit},
                      {"probability", one.probability}});
    }
    json.push_back({{"image", printable(image.path, 4096)}, {"best", best}});
  }
  return json;
}

}  // namespace octet
