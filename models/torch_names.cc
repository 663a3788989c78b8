#include "models/torch_names.h"

#include <regex>

namespace octet {
namespace {

// A regular expression on our names, and theirs; the first that matches counts.
struct Rule {
  const char* ours;
  const char* theirs;
};

constexpr Rule kRules[] = {
    {R"(conv(\d+)\.bn\.(\w+)$)", "bn$1.$2"},
    {R"(downsample\.bn\.(\w+)$)", "downsample.1.$1"},
    {R"(downsample\.weight$)", "downsample.0.weight"},
};

struct Flattened {
  const char* model;
  const char* name;
  std::int64_t channels;
};

constexpr Flattened kFlattened[] = {
    {"lenet", "fc1.weight", 16},
    {"lenet_bn", "fc1.weight", 16},
};

}  // namespace

TorchTensor torch_tensor(const std::string& model, const std::string& name) {
  TorchTensor result{.name = name};
  for (const Rule& rule : kRules) {
    const std::regex ours(rule.ours);
    if (!std::regex_search(name, ours)) continue;
    result.name = std::regex_replace(name, ours, rule.theirs);
    break;
  }
  for (const Flattened& layer : kFlattened) {
    if (model == layer.model && name == layer.name) result.flattened_channels = layer.channels;
  }
  return result;
}

}  // namespace octet
