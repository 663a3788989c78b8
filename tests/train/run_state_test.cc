#include "train/run_state.h"

#include <doctest/doctest.h>

#include <limits>

#include "base/error.h"
#include "train/check_tensors.h"

namespace octet {
namespace {

// 100 images in batches of 30, the last of 10.
constexpr RunPlan kPlan{.float_epochs = 3,
                        .qat_epochs = 2,
                        .qat = true,
                        .batches = 4,
                        .batch_size = 30,
                        .epoch_images = 100};

// In the second epoch of QAT, before its third batch.
RunState in_qat() {
  return {.phase = "quantize",
          .epoch = 1,
          .batch = 2,
          .step = 6,
          .loss_sum = 12.5,
          .correct = 50,
          .images = 60,
          .total_steps = 18,
          .train_seconds = 1.5,
          .train_images = 460,
          .wall_seconds = 2.5,
          .metrics_bytes = 99,
          .resumed_at_steps = {0, 7, 7, 18}};
}

std::string error_of(const RunState& state, const RunPlan& plan = kPlan) {
  try {
    check_run_state(state, plan, "\"c\"");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string error_of(const std::string& text) {
  try {
    parse_run_state(text, "\"c\"");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string error_of(const NamedTensor& tensor) {
  try {
    check_training_tensors({tensor}, "\"c\"");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string with(const char* field, const char* value) {
  nlohmann::json object = nlohmann::json::parse(to_text(in_qat()));
  std::string text = object.dump();
  const std::string old = "\"" + std::string(field) + "\":" + object.at(field).dump();
  return text.replace(text.find(old), old.size(), "\"" + std::string(field) + "\":" + value);
}

}  // namespace

TEST_CASE("run state: what is read is what was written") {
  const RunState state = in_qat();
  const RunState read = parse_run_state(to_text(state), "c");
  CHECK(to_text(read) == to_text(state));
  CHECK(read.phase == "quantize");
  CHECK(read.loss_sum == 12.5);
  CHECK(read.resumed_at_steps == state.resumed_at_steps);
}

TEST_CASE("run state: fields that are missing, unknown or of another kind are named") {
  CHECK(error_of(std::string("{")).find("\"c\": octet.state is not JSON") == 0);
  CHECK(error_of(std::string("[1]")) == "\"c\": octet.state expects an object, got [1]");
  CHECK(error_of(std::string("{}")) == "\"c\": octet.state has no phase");
  CHECK(error_of(with("phase", "\"float\",\"more\":1")) ==
        "\"c\": octet.state has a field that is unknown: more");
  CHECK(error_of(with("phase", "7")) == "\"c\": octet.state.phase expects a text, got 7");
  for (const char* field : {"epoch", "batch", "step", "correct", "images", "total_steps",
                            "train_images", "metrics_bytes"}) {
    for (const char* value : {"-1", "1.5", "\"1\"", "null", "18446744073709551615", "1e3"}) {
      CAPTURE(value);
      CHECK(error_of(with(field, value)) == message("\"c\": octet.state.", field,
                                                    " expects a whole number from 0 on, got ",
                                                    nlohmann::json::parse(value).dump()));
    }
  }
  for (const char* field : {"loss_sum", "train_seconds", "wall_seconds"}) {
    for (const char* value : {"\"1\"", "null", "true", "1e999"}) {
      CHECK(error_of(with(field, value)).rfind("\"c\": octet.state", 0) == 0);
    }
  }
  CHECK(error_of(with("resumed_at_steps", "[1,-2]")) ==
        "\"c\": octet.state.resumed_at_steps[1] expects a whole number from 0 on, got -2");
  CHECK(error_of(with("resumed_at_steps", "3")) ==
        "\"c\": octet.state.resumed_at_steps expects a list, got 3");
}

TEST_CASE("run state: every state that a run passes through is accepted") {
  for (const bool qat : {true, false}) {
    RunPlan plan = kPlan;
    plan.qat = qat;
    RunState state;
    const auto train = [&](const char* phase, std::int64_t epochs) {
      state.phase = phase;
      state.epoch = state.step = 0;
      for (; state.epoch < epochs; ++state.epoch) {
        for (state.batch = state.images = 0; state.batch < plan.batches; ++state.batch) {
          CHECK(error_of(state, plan) == "");
          const std::int64_t images = state.batch < 3 ? 30 : 10;
          state.images += images;
          state.train_images += images;
          ++state.step;
          ++state.total_steps;
        }
        CHECK(error_of(state, plan) == "");  // saved before the epoch's validation
        state.batch = state.images = 0;
      }
      CHECK(error_of(state, plan) == "");  // and after the last one's
    };
    train("float", plan.float_epochs);
    if (qat) train("quantize", plan.qat_epochs);
    train("done", 0);
  }
  CHECK(error_of(in_qat()) == "");
}

TEST_CASE("run state: a state that no such run passes through is refused, and its field named") {
  const auto field_of = [](const auto& change) {
    RunState state = in_qat();
    change(state);
    const std::string error = error_of(state), start = "\"c\": octet.state.";
    REQUIRE(error.rfind(start, 0) == 0);
    return error.substr(start.size(), error.find(' ', start.size()) - start.size());
  };
  CHECK(field_of([](RunState& s) { s.phase = "qat"; }) == "phase");
  CHECK(field_of([](RunState& s) { s.epoch = 2; }) == "batch");
  CHECK(field_of([](RunState& s) { s.epoch = 3; }) == "epoch");
  CHECK(field_of([](RunState& s) { s.batch = 5; }) == "batch");
  CHECK(field_of([](RunState& s) { s.step = 7; }) == "step");
  CHECK(field_of([](RunState& s) { s.total_steps = 6; }) == "total_steps");
  CHECK(field_of([](RunState& s) { s.images = 61; }) == "images");
  CHECK(field_of([](RunState& s) { s.correct = 61; }) == "correct");
  CHECK(field_of([](RunState& s) { s.train_images = 60; }) == "train_images");
  CHECK(field_of([](RunState& s) { s.train_seconds = -1.0; }) == "train_seconds");
  CHECK(field_of([](RunState& s) { s.wall_seconds = -1.0; }) == "wall_seconds");
  CHECK(field_of([](RunState& s) { s.resumed_at_steps = {19}; }) == "resumed_at_steps");
  CHECK(field_of([](RunState& s) { s.resumed_at_steps = {7, 6}; }) == "resumed_at_steps");
  RunPlan plan = kPlan;
  plan.qat = false;
  CHECK(error_of(in_qat(), plan) ==
        "\"c\": octet.state.phase is quantize, must be float or done, as this run has no QAT");
}

TEST_CASE(
    "a checkpoint's tensors: what training cannot leave is refused, with tensor and element") {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  struct Case {
    const char* name;
    float good, bad;
  };
  for (const Case& c :
       {Case{"conv1.weight", -3.0f, nan}, Case{"conv1.weight", 0.0f, inf},
        Case{"optimizer.conv1.weight.momentum", -1.0f, -inf}, Case{"ema.conv1.bias", -1.0f, nan},
        Case{"conv1.bn.running_var", 0.0f, -1e-20f}, Case{"ema.conv1.bn.running_var", 1.0f, nan},
        Case{"conv1.weight_fake_quant.scale", 1e-30f, 0.0f},
        Case{"conv1.activation_fake_quant.scale", 1.0f, inf},
        Case{"conv1.activation_fake_quant.min_val", inf, -inf},
        Case{"conv1.activation_fake_quant.max_val", -inf, inf},
        Case{"conv1.activation_fake_quant.histogram", 0.0f, -1.0f}}) {
    CAPTURE(c.name);
    Tensor tensor = Tensor::full({4}, c.good);
    CHECK(error_of(NamedTensor{c.name, tensor}) == "");
    tensor.mutable_data()[2] = c.bad;
    const std::string error = error_of(NamedTensor{c.name, tensor});
    CHECK(error.rfind(message("\"c\": tensor \"", c.name, "\" has "), 0) == 0);
    CHECK(error.find(" at element 2, must be ") != std::string::npos);
  }
  Tensor zero_point = Tensor::zeros({2}, DType::kI32), flag = Tensor::zeros({1}, DType::kU8);
  zero_point.mutable_data<std::int32_t>()[1] = 255;
  CHECK(error_of(NamedTensor{"a.activation_fake_quant.zero_point", zero_point}) == "");
  CHECK(error_of(NamedTensor{"a.weight_fake_quant.zero_point", zero_point}) != "");
  zero_point.mutable_data<std::int32_t>()[1] = 256;
  CHECK(error_of(NamedTensor{"a.activation_fake_quant.zero_point", zero_point}) != "");
  CHECK(error_of(NamedTensor{"a.activation_fake_quant.observer_enabled", flag}) == "");
  *flag.mutable_data<std::uint8_t>() = 2;
  CHECK(error_of(NamedTensor{"a.activation_fake_quant.observer_enabled", flag}) != "");
}

TEST_CASE("a checkpoint's observers: a range is empty or in order") {
  const float inf = std::numeric_limits<float>::infinity();
  const auto check = [](float low, float high) {
    check_training_tensors({{"a.q.max_val", Tensor::full({1}, high)},
                            {"b.q.min_val", Tensor::full({1}, 9.0f)},
                            {"a.q.min_val", Tensor::full({1}, low)}},
                           "\"c\"");
  };
  CHECK_NOTHROW(check(-1.0f, 1.0f));
  CHECK_NOTHROW(check(1.0f, 1.0f));
  CHECK_NOTHROW(check(inf, -inf));
  CHECK_THROWS_WITH_AS(
      check(1.0f, -1.0f),
      "\"c\": tensor \"a.q.min_val\" has 1 at element 0, more than -1 in \"a.q.max_val\"", Error);
  CHECK_THROWS_AS(check(inf, 1.0f), Error);
  CHECK_THROWS_AS(check(1.0f, -inf), Error);
}

}  // namespace octet
