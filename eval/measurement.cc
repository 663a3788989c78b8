#include "eval/measurement.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace octet {

nlohmann::ordered_json to_json(const Measurement& m) {
  nlohmann::ordered_json json;
  json["form"] = m.form;
  json["model"] = m.model;
  json["path"] = m.path;
  json["images"] = m.images;
  json["correct"] = m.correct;
  json["top1"] = m.top1();
  json["file_bytes"] = m.file_bytes;
  json["images_per_second"] = m.images_per_second;
  json["latency_ms"] = nullptr;
  if (m.latency) json["latency_ms"] = {{"p50", m.latency->p50_ms}, {"p99", m.latency->p99_ms}};
  json["threads"] = m.threads;
  json["batch"] = m.batch;
  json["isa"] = m.isa;
  json["logits_sha256"] = m.logits_sha256;
  return json;
}

std::string to_table(const std::vector<Measurement>& rows) {
  std::string table = format("%-11s %8s %12s %12s %22s\n", "", "top-1 %", "file bytes", "images/s",
                             "batch-1 ms p50 / p99");
  for (const Measurement& m : rows) {
    const std::string latency =
        m.latency ? format("%.4f / %.4f", m.latency->p50_ms, m.latency->p99_ms) : "-";
    table += format("%-11s %8.2f %12s %12.0f %22s\n", m.form.c_str(), m.top1(),
                    m.file_bytes > 0 ? std::to_string(m.file_bytes).c_str() : "-",
                    m.images_per_second, latency.c_str());
  }
  return table;
}

Latency latency_of(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto quantile = [&](double q) {  // nearest rank
    const double rank = std::ceil(q * static_cast<double>(milliseconds.size()));
    return milliseconds[static_cast<std::size_t>(std::max(1.0, rank)) - 1];
  };
  return {quantile(0.50), quantile(0.99)};
}

}  // namespace octet
