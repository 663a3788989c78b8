// bench, started as a user does. What it measures is no matter for tests, but whether its figures
// agree with each other is.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/cpu.h"
#include "tests/programs/run_program.h"

namespace octet::testing {
namespace {

using Json = nlohmann::json;

Json run_json(const Workplace& work, const std::string& line) {
  const Outcome outcome = work.run(line + " --json");
  CAPTURE(line);
  CAPTURE(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  return Json::parse(outcome.out);
}

// The rates follow from the time, and the share from the rates.
void check_rates(const Json& m) {
  CAPTURE(m.dump());
  const double ms = m.at("ms"), batch = m.at("batch"), gmac = m.at("gmac_per_image");
  CHECK(ms > 0.0);
  CHECK(m.at("best_ms").get<double>() <= ms);
  CHECK(m.at("p90_ms").get<double>() >= ms);
  CHECK(m.at("steps") >= 5);
  const double rate = m.at("images_per_second");
  CHECK(rate == doctest::Approx(1000.0 * batch / ms));
  CHECK(m.at("gmac_per_s").get<double>() == doctest::Approx(gmac * rate));
  if (!m.at("peak_gmac_per_s").is_null()) {
    CHECK(m.at("share_of_peak").get<double>() ==
          doctest::Approx(gmac * rate / m.at("peak_gmac_per_s").get<double>()));
  }
  CHECK(m.at("peak_memory_bytes") > 1 << 20);
  CHECK(m.at("page_faults_per_step") >= 0.0);
}

TEST_CASE("bench model: training and inference of LeNet, figures that agree with each other") {
  const Workplace work;
  const std::string quick = "bench model --model lenet --batch 4 --threads 2 --seconds 0";
  const Json train = run_json(work, quick + " --mode train");
  check_rates(train);
  CHECK(train.at("gmac_per_image").get<double>() == doctest::Approx(1131960e-9));
  CHECK(train.at("image_shape") == Json({28, 28, 1}));
  CHECK(train.at("threads") == 2);
  for (const char* precision : {"fp32", "int8"}) {
    const Json infer = run_json(work, quick + " --mode infer --precision " + precision);
    check_rates(infer);
    CHECK(infer.at("precision") == precision);
    CHECK(infer.at("gmac_per_image").get<double>() == doctest::Approx(416520e-9));
  }
}

TEST_CASE(
    "bench: bf16 is measured where it trains, against its own peak, with a note if emulated") {
  const Workplace work;
  const bool native = cpu_has_avx512_bf16() && default_isa() == Isa::kAvx512Vnni;
  for (const std::string what : {"model --mode train", "layers"}) {
    const std::string line =
        "bench " + what + " --model lenet --batch 3 --threads 2 --seconds 0 --precision bf16";
    const Json m = run_json(work, line);
    CHECK(m.at("precision") == "bf16");
    CHECK(m.at("peak_gmac_per_s").is_null() != native);
    CHECK((work.run(line).err.find("bf16 is emulated") == std::string::npos) == native);
  }
}

TEST_CASE("bench model: scalar kernels have no peak to be compared with") {
  const Workplace work;
  const Json m =
      run_json(work, "bench model --model lenet_bn --batch 1 --threads 1 --seconds 0 --isa scalar");
  check_rates(m);
  CHECK(m.at("isa") == "scalar");
  CHECK(m.at("share_of_peak").is_null());
}

TEST_CASE("bench layers: every layer and pass once, and a total") {
  const Workplace work;
  const Json m = run_json(work, "bench layers --model lenet --batch 2 --threads 1 --seconds 0");
  REQUIRE(m.at("layers").size() == 5);
  CHECK(m.at("layers")[0].at("name") == "conv1");
  CHECK_FALSE(m.at("layers")[0].contains("dgrad"));  // nobody asks for the images' gradient
  double ms = 0.0;
  for (const Json& layer : m.at("layers")) {
    CHECK(layer.at("count") == 1);
    CHECK(layer.at("wgrad").at("best_ms") > 0.0);
    ms += layer.at("forward").at("best_ms").get<double>();
  }
  CHECK(m.at("total").at("forward").at("best_ms").get<double>() == doctest::Approx(ms));
  const Json one =
      run_json(work, "bench layers --model lenet --batch 2 --mode wgrad --threads 1 --seconds 0");
  CHECK(one.at("total").size() == 1);
}

TEST_CASE("bench: tables for people, and help") {
  const Workplace work;
  for (const char* line :
       {"bench peak --threads 1", "bench layers --model lenet --batch 1 --threads 1 --seconds 0",
        "bench model --model lenet --batch 1 --threads 1 --seconds 0", "bench --help",
        "bench peak --help", "bench layers --help", "bench model --help", "bench --version"}) {
    CAPTURE(line);
    const Outcome outcome = work.run(line);
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.err.empty());
    CHECK(outcome.out.size() > 10);
  }
}

}  // namespace
}  // namespace octet::testing
