#include "io/config_hint.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/nearest.h"
#include "io/config_fields.h"

namespace octet {
namespace {

// Words that other programs use for our keys and sections.
constexpr std::pair<std::string_view, std::string_view> kSynonyms[] = {
    {"learning_rate", "lr"},   {"base_lr", "lr"},          {"batch", "batch_size"},
    {"bs", "batch_size"},      {"num_epochs", "epochs"},   {"max_epochs", "epochs"},
    {"wd", "weight_decay"},    {"l2", "weight_decay"},     {"lr_schedule", "schedule"},
    {"scheduler", "schedule"}, {"num_threads", "threads"}, {"grad_clip", "clip_grad_norm"},
    {"ema", "ema_decay"},      {"quant", "quantize"},      {"dataset", "data"},
    {"network", "model"},      {"arch", "model"},          {"pretrained", "init_from"},
    {"weights", "init_from"}};

std::vector<std::string> all_keys() {
  std::vector<std::string> keys;
  for (const ConfigField& field : config_fields(Config())) keys.push_back(field.key);
  return keys;
}

std::string last_part(const std::string& key) { return key.substr(key.rfind('.') + 1); }

// The keys whose last part is `word`; of a section, its name.
std::vector<std::string> keys_called(const std::vector<std::string>& keys, std::string_view word) {
  std::vector<std::string> found;
  for (const std::string& key : keys) {
    if (last_part(key) == word || key == message(word, ".name")) found.push_back(key);
  }
  return found;
}

}  // namespace

std::string_view our_word(std::string_view foreign) {
  for (const auto& [theirs, ours] : kSynonyms) {
    if (foreign == theirs) return ours;
  }
  return "";
}

std::vector<std::string> keys_like(std::string word) {
  std::replace(word.begin(), word.end(), '-', '_');
  const std::vector<std::string> keys = all_keys();
  if (std::find(keys.begin(), keys.end(), word) != keys.end()) return {word};
  if (const auto called = keys_called(keys, word); !called.empty()) return called;
  if (const auto called = keys_called(keys, our_word(word)); !called.empty()) return called;
  if (word.find('.') != std::string::npos) {
    const std::string near = nearest_typo(word, keys);
    return near.empty() ? std::vector<std::string>() : std::vector{near};
  }
  std::vector<std::string> parts;
  for (const std::string& key : keys) parts.push_back(last_part(key));
  const std::string near = nearest_typo(word, parts);
  return near.empty() ? std::vector<std::string>() : keys_called(keys, near);
}

}  // namespace octet
