#include <algorithm>
#include <limits>

#include "base/text.h"
#include "eval/profile.h"

namespace octet {
namespace {

// Share of `whole` in percent, for a table.
std::string percent(double part, double whole) {
  return whole > 0.0 ? format("%.1f", 100.0 * part / whole) : "-";
}

}  // namespace

std::string to_table(const Profile& profile, double peak_gmac_per_s) {
  std::size_t name = 5, shape = 5, kernel = 6;
  for (const ProfiledStep& step : profile.steps) {
    name = std::max(name, step.name.size());
    shape = std::max(shape, step.shape.size());
    kernel = std::max(kernel, step.kernel.size());
  }
  const auto row = [&](const std::string& a, const std::string& b, const std::string& c,
                       const std::string& ms, const std::string& share, const std::string& gops,
                       const std::string& of_peak) {
    return format("%-*s  %-*s  %-*s %10s %6s %8s %9s\n", static_cast<int>(name), a.c_str(),
                  static_cast<int>(shape), b.c_str(), static_cast<int>(kernel), c.c_str(),
                  ms.c_str(), share.c_str(), gops.c_str(), of_peak.c_str());
  };
  const auto row_of = [&](const std::string& a, const std::string& b, const std::string& c,
                          double ms, std::int64_t macs) {
    const bool multiplies = macs > 0 && ms > 0.0;
    const double gmac_per_s = multiplies ? 1e-6 * static_cast<double>(macs) / ms : 0.0;
    return row(a, b, c, format("%.4f", ms), percent(ms, profile.steps_ms()),
               multiplies ? format("%.1f", 2.0 * gmac_per_s) : "-",
               multiplies ? percent(gmac_per_s, peak_gmac_per_s) : "-");
  };

  std::string table = row("layer", "shape", "kernel", "ms", "%", "GOP/s", "% of peak");
  std::int64_t macs = 0;
  for (const ProfiledStep& step : profile.steps) {
    table += row_of(step.name, step.shape, step.kernel, step.ms, step.macs);
    macs += step.macs;
  }
  table += row_of("all", "", "", profile.steps_ms(), macs);
  table += format(
      "%s  batch %ld  threads %d  isa %s  median of %ld runs; without the clock a run takes %.4f "
      "ms\n",
      profile.model.c_str(), static_cast<long>(profile.batch), profile.threads, profile.isa.c_str(),
      static_cast<long>(profile.runs), profile.run_ms);
  if (peak_gmac_per_s > 0.0) {
    table += format("peak %.1f GOP/s, measured before and after\n", 2.0 * peak_gmac_per_s);
  }
  return table;
}

nlohmann::ordered_json to_json(const Profile& profile, double peak_gmac_per_s) {
  nlohmann::ordered_json json = {{"model", profile.model},        {"batch", profile.batch},
                                 {"threads", profile.threads},    {"isa", profile.isa},
                                 {"runs", profile.runs},          {"run_ms", profile.run_ms},
                                 {"steps_ms", profile.steps_ms()}};
  json["peak_gop_per_s"] = nullptr;
  if (peak_gmac_per_s > 0.0) json["peak_gop_per_s"] = 2.0 * peak_gmac_per_s;
  json["layers"] = nlohmann::ordered_json::array();
  for (const ProfiledStep& step : profile.steps) {
    json["layers"].push_back({{"name", step.name},
                              {"op", step.op},
                              {"shape", step.shape},
                              {"kernel", step.kernel},
                              {"macs", step.macs},
                              {"ms", step.ms}});
  }
  return json;
}

nlohmann::ordered_json to_trace(const Profile& profile) {
  std::int64_t start = std::numeric_limits<std::int64_t>::max();
  for (const auto& of_thread : profile.median_run) {
    if (!of_thread.empty()) start = std::min(start, of_thread.front().begin_ns);
  }
  const auto microseconds = [](std::int64_t ns) { return static_cast<double>(ns) / 1000.0; };

  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  events.push_back({{"name", "process_name"},
                    {"ph", "M"},
                    {"pid", 1},
                    {"tid", 0},
                    {"args",
                     {{"name", format("%s, batch %ld, %s", profile.model.c_str(),
                                      static_cast<long>(profile.batch), profile.isa.c_str())}}}});
  for (std::size_t thread = 0; thread < profile.median_run.size(); ++thread) {
    for (const StepTime& time : profile.median_run[thread]) {
      const ProfiledStep& step = profile.steps[time.step];
      events.push_back({{"name", step.name},
                        {"cat", step.op},
                        {"ph", "X"},
                        {"pid", 1},
                        {"tid", thread},
                        {"ts", microseconds(time.begin_ns - start)},
                        {"dur", microseconds(time.end_ns - time.begin_ns)},
                        {"args", {{"shape", step.shape}, {"kernel", step.kernel}}}});
    }
  }
  return {{"traceEvents", events}, {"displayTimeUnit", "ns"}};
}

}  // namespace octet
