#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "ir/graph.h"
#include "runtime/ranking.h"

namespace octet {

struct ClassifyOptions {
  int top = 3;          // classes per image, at most; as many as the model has if it has fewer
  bool resize = false;  // convert images of another size or other colours to the model's input
  std::int64_t batch = 64;
  int threads = 1;
  Isa isa = Isa::kScalar;
};

// An image file and its likeliest classes, the likeliest first.
struct ClassifiedImage {
  std::string path;
  std::vector<ScoredClass> best;
};

// Whether a word of the command line names an image rather than a model: by its extension, .png,
// .jpg or .jpeg, or that of a format which is then refused by name.
bool names_an_image(const std::string& word);

// Runs an integer graph on PNG and JPEG files. All are read before any is classified. Throws Error
// that names the file: not there, not such an image, damaged, or of another size or other colours
// than the model takes, unless `resize` asks for the conversion that the data set image_folder does
// (datasets/image_file.h: a triangle filter; the aspect ratio is not kept).
std::vector<ClassifiedImage> classify_images(const ir::Graph& graph,
                                             const std::vector<std::string>& paths,
                                             const ClassifyOptions& options);

// The name of a class; its number where the graph has no names.
std::string class_name(const ir::Graph& graph, std::int32_t index);

// One line an image: "cat.png  cat 97.31 %, dog 2.10 %, deer 0.37 %".
std::string to_text(const ir::Graph& graph, const std::vector<ClassifiedImage>& images);
nlohmann::ordered_json to_json(const ir::Graph& graph, const std::vector<ClassifiedImage>& images);

}  // namespace octet
