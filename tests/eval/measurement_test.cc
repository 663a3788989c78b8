#include "eval/measurement.h"

#include <doctest/doctest.h>

#include "eval/evaluate_int8.h"

namespace octet {

TEST_CASE("latency: nearest-rank quantiles, in any order of measurement") {
  std::vector<double> times;
  for (int i = 100; i >= 1; --i) times.push_back(i);
  const Latency latency = latency_of(times);
  CHECK(latency.p50_ms == 50.0);
  CHECK(latency.p99_ms == 99.0);
  CHECK(latency_of({3.0}).p99_ms == 3.0);
}

TEST_CASE("argmax: the lowest index wins ties") {
  const std::int32_t logits[] = {-3, 7, 7, 2};
  CHECK(argmax(logits, 4) == 1);
}

TEST_CASE("a measurement as JSON has the keys that the documentation names") {
  Measurement m;
  m.form = "int8";
  m.images = 200;
  m.correct = 199;
  nlohmann::ordered_json json = to_json(m);
  CHECK(json["top1"] == 99.5);
  CHECK(json["latency_ms"].is_null());
  m.latency = Latency{0.5, 1.5};
  json = to_json(m);
  CHECK(json["latency_ms"]["p99"] == 1.5);
  for (const char* key : {"model", "path", "images", "file_bytes", "images_per_second", "threads",
                          "isa", "logits_sha256"}) {
    CHECK(json.contains(key));
  }
  CHECK(to_table({m}).find("99.50") != std::string::npos);
}

}  // namespace octet
