#include "train/run_state.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/classic_locale.h"
#include "base/error.h"
#include "base/float_environment.h"
#include "file/printable.h"

namespace octet {
namespace {

using nlohmann::json;

// The one list of fields: for writing, reading, and what is unknown.
template <class State, class Visit>
void visit_fields(State& s, const Visit& visit) {
  visit("phase", s.phase);
  visit("epoch", s.epoch);
  visit("batch", s.batch);
  visit("step", s.step);
  visit("loss_sum", s.loss_sum);
  visit("correct", s.correct);
  visit("images", s.images);
  visit("total_steps", s.total_steps);
  visit("train_seconds", s.train_seconds);
  visit("train_images", s.train_images);
  visit("wall_seconds", s.wall_seconds);
  visit("metrics_bytes", s.metrics_bytes);
  visit("resumed_at_steps", s.resumed_at_steps);
}

// A step count of 2^53 is out of reach, and sums of such numbers do not overflow.
constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 53;

std::string shown(const json& value) {
  return printable(value.dump(-1, ' ', true, json::error_handler_t::replace), 40);
}

void read(const json& value, const std::string& field, std::string& into) {
  OCTET_CHECK(value.is_string(), field, " expects a text, got ", shown(value));
  into = value.get<std::string>();
}

void read(const json& value, const std::string& field, std::int64_t& into) {
  OCTET_CHECK(value.is_number_unsigned() && value.get<std::uint64_t>() <= kMaxCount, field,
              " expects a whole number from 0 on, got ", shown(value));
  into = value.get<std::int64_t>();
}

void read(const json& value, const std::string& field, double& into) {
  OCTET_CHECK(value.is_number() && std::isfinite(value.get<double>()), field,
              " expects a finite number, got ", shown(value));
  into = value.get<double>();
}

void read(const json& value, const std::string& field, std::vector<std::int64_t>& into) {
  OCTET_CHECK(value.is_array(), field, " expects a list, got ", shown(value));
  for (const json& item : value) {
    std::int64_t number = 0;
    read(item, message(field, "[", into.size(), "]"), number);
    into.push_back(number);
  }
}

}  // namespace

std::string to_text(const RunState& state) {
  json object;
  visit_fields(state, [&](const char* name, const auto& value) { object[name] = value; });
  return object.dump();
}

RunState parse_run_state(std::string_view text, const std::string& source) {
  const FloatEnvironment environment;
  const std::string where = source + ": octet.state";
  json object;
  try {
    const ClassicLocale locale;
    object = json::parse(text);
  } catch (const json::exception& error) {
    throw Error(message(where, " is not JSON: ", printable(error.what())));
  }
  OCTET_CHECK(object.is_object(), where, " expects an object, got ", shown(object));
  RunState state;
  std::set<std::string> known;
  visit_fields(state, [&](const char* name, auto& value) {
    known.insert(name);
    OCTET_CHECK(object.contains(name), where, " has no ", name);
    read(object.at(name), where + "." + name, value);
  });
  for (const auto& item : object.items()) {
    OCTET_CHECK(known.count(item.key()) == 1, where,
                " has a field that is unknown: ", printable(item.key()));
  }
  return state;
}

void check_run_state(const RunState& s, const RunPlan& plan, const std::string& source) {
  const std::string where = source + ": octet.state.";
  const auto expect = [&](bool ok, const char* field, const auto& got, const auto&... parts) {
    OCTET_CHECK(ok, where, field, " is ", got, ", must be ", parts...);
  };
  const bool floating = s.phase == "float", quantizing = s.phase == "quantize" && plan.qat;
  expect(floating || quantizing || s.phase == "done", "phase", printable(s.phase),
         plan.qat ? "float, quantize or done" : "float or done, as this run has no QAT");

  // Whole epochs of this phase and of those before.
  const std::int64_t epochs = floating ? plan.float_epochs : quantizing ? plan.qat_epochs : 0;
  const std::int64_t before = floating     ? 0
                              : quantizing ? plan.float_epochs
                                           : plan.float_epochs + (plan.qat ? plan.qat_epochs : 0);
  expect(s.epoch <= epochs, "epoch", s.epoch, "at most ", epochs);
  const std::int64_t most = s.epoch < epochs ? plan.batches : 0;
  expect(s.batch <= most, "batch", s.batch, "at most ", most);
  const std::int64_t step = s.epoch * plan.batches + s.batch;
  expect(s.step == step, "step", s.step, step, ", for epoch and batch are ", s.epoch, " and ",
         s.batch);
  const std::int64_t total = before * plan.batches + step;
  expect(s.total_steps == total, "total_steps", s.total_steps, total, ", as phase and step say");
  const std::int64_t images = std::min(s.batch * plan.batch_size, plan.epoch_images);
  expect(s.images == images, "images", s.images, images, ", those of ", s.batch, " batches");
  expect(s.correct <= s.images, "correct", s.correct, "at most ", s.images, " (images)");
  expect(s.images > 0 || s.loss_sum == 0.0, "loss_sum", s.loss_sum, "0 before the first batch");
  const std::int64_t trained = (before + s.epoch) * plan.epoch_images + images;
  expect(s.train_images == trained, "train_images", s.train_images, trained,
         ", as phase, epoch and batch say");
  expect(s.train_seconds >= 0.0, "train_seconds", s.train_seconds, "0 or more");
  expect(s.wall_seconds >= 0.0, "wall_seconds", s.wall_seconds, "0 or more");
  std::int64_t last = 0;
  for (const std::int64_t at : s.resumed_at_steps) {
    expect(at >= last && at <= s.total_steps, "resumed_at_steps", at, "from ", last, " to ",
           s.total_steps, " at this place");
    last = at;
  }
}

}  // namespace octet
