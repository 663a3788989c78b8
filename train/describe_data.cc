#include "train/describe_data.h"

#include <algorithm>

#include "base/error.h"
#include "datasets/list_images.h"
#include "file/printable.h"

namespace octet {
namespace {

constexpr std::size_t kMaxListed = 12;  // classes

std::vector<std::int64_t> images_by_class(const Dataset& images) {
  std::vector<std::int64_t> counts(images.class_names().size());
  for (std::int64_t i = 0; i < images.size(); ++i) {
    ++counts[static_cast<std::size_t>(images.get(i).label)];
  }
  return counts;
}

std::string count_of(std::int64_t count, const char* what) {
  return message(count, " ", what, count == 1 ? "" : "s");
}

}  // namespace

std::string describe_images(const Dataset& images) {
  const std::vector<std::int64_t> counts = images_by_class(images);
  const std::vector<std::string>& names = images.class_names();
  const std::string total = count_of(images.size(), "image");
  if (counts.empty()) return total;
  const auto name = [&](auto at) {
    return printable(names[static_cast<std::size_t>(at - counts.begin())], 40);
  };
  const auto [smallest, largest] = std::minmax_element(counts.begin(), counts.end());
  if (*smallest == *largest) {
    return message(total, ", ", *smallest, " of each of ", counts.size(), " classes");
  }
  if (counts.size() > kMaxListed) {
    return message(total, " of ", counts.size(), " classes, from ", *smallest, " (", name(smallest),
                   ") to ", *largest, " (", name(largest), ")");
  }
  std::string list;
  for (auto at = counts.begin(); at != counts.end(); ++at) {
    list += message(list.empty() ? "" : ", ", name(at), " ", *at);
  }
  return message(total, " (", list, ")");
}

std::vector<std::string> describe_data(const Dataset& train, const Dataset& validation,
                                       const Dataset& test,
                                       const std::vector<SkippedFiles>& skipped,
                                       std::int64_t batch_size) {
  std::vector<std::string> lines = {"train: " + describe_images(train)};
  if (validation.size() > 0) lines.push_back("validation: " + describe_images(validation));
  lines.push_back("test: " + describe_images(test));
  const std::string left_out = to_text(skipped);
  if (!left_out.empty()) lines.push_back(left_out);

  const std::int64_t size = train.size(), batches = size / batch_size, rest = size % batch_size;
  if (batches == 0) {
    lines.push_back(message("hint: data.batch_size ", batch_size, " is larger than the training ",
                            "set: each epoch is a single step of ", count_of(size, "image"),
                            "; a smaller one makes more steps"));
    return lines;
  }
  lines.push_back(message("epoch: ", batches, batches == 1 ? " batch" : " batches", " of ",
                          batch_size,
                          rest == 0 ? ""
                                    : message("; the last ", count_of(rest, "image"),
                                              ", other ones each time, do not fill a batch and ",
                                              rest == 1 ? "is" : "are", " left out")));
  const std::vector<std::int64_t> counts = images_by_class(train);
  const auto smallest = std::min_element(counts.begin(), counts.end());
  if (smallest != counts.end() && *smallest < batch_size) {
    const auto& name = train.class_names()[static_cast<std::size_t>(smallest - counts.begin())];
    lines.push_back(message("hint: data.batch_size ", batch_size, " is larger than class \"",
                            printable(name, 40), "\", which has ", count_of(*smallest, "image"),
                            ": many batches will have none or few of it"));
  }
  return lines;
}

}  // namespace octet
