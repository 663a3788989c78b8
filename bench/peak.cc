#include "bench/peak.h"

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/aligned_buffer.h"
#include "base/classic_locale.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/text.h"
#include "bench/timing.h"

namespace octet {
namespace {

constexpr double kSecondsPerRate = 0.12;
constexpr std::int64_t kRounds = 1000000;  // a few milliseconds: shorter than a scheduler's slice
constexpr std::int64_t kRepetitions = 10;

// Rates of work that takes `timing`, in 1e9 units per second.
Rate rate_of(double units, const Timing& timing) {
  return {units * 1e-6 / timing.best_ms, units * 1e-6 / timing.median_ms};
}

// Short repetitions of `work`, which does `units` of something, on this thread.
template <class Work>
Rate measure_rate(double units, double seconds, const Work& work) {
  work();
  return rate_of(units, measure(work, {.repetitions = kRepetitions, .seconds = seconds}));
}

double measure_clock_ghz() {
  const ClockLoop loop = clock_loop();
  if (loop == nullptr) return 0.0;
  constexpr std::int64_t kClockRounds = 100000;
  return measure_rate(kClockCyclesPerRound * kClockRounds, kSecondsPerRate,
                      [&] { loop(kClockRounds); })
      .best;
}

// What the system says of the first core's data cache of a level, or a usual size where it says
// nothing. (sysconf is wrong on virtual machines.)
std::size_t cache_bytes(const std::string& level, std::size_t usual) {
  for (int index = 0; index < 8; ++index) {
    const std::string folder = message("/sys/devices/system/cpu/cpu0/cache/index", index, "/");
    Classic<std::ifstream> level_file(folder + "level"), type_file(folder + "type"),
        size_file(folder + "size");
    std::string found, type;
    std::size_t kilobytes = 0;  // "1024K"
    if (level_file >> found && found == level && type_file >> type && type != "Instruction" &&
        size_file >> kilobytes && kilobytes > 0) {
      return kilobytes << 10;
    }
  }
  return usual;
}

// Reads `bytes` of each thread's own memory, several times if they are few. The threads share what
// is measured, so they are timed together.
Rate measure_read(ReadLoop loop, int threads, std::size_t bytes) {
  std::vector<AlignedBuffer> memory;
  for (int t = 0; t < threads; ++t) {
    memory.emplace_back(bytes);
    std::memset(memory.back().data(), 1, bytes);
  }
  const std::size_t passes = std::max<std::size_t>(1, (std::size_t{64} << 20) / bytes);
  return measure_rate(static_cast<double>(passes * bytes) * threads, kSecondsPerRate, [&] {
    parallel_for(threads, [&](std::int64_t t) {
      const std::byte* begin = memory[static_cast<std::size_t>(t)].data();
      for (std::size_t i = 0; i < passes; ++i) loop(begin, bytes);
    });
  });
}

MemoryRate measure_level(const char* level, ReadLoop loop, std::size_t bytes_of_one,
                         std::size_t bytes_of_all) {
  const auto share = static_cast<std::size_t>(num_threads());
  const std::size_t each = std::max<std::size_t>(bytes_of_all / share / 256, 1) * 256;
  MemoryRate rate{level, each * share, {}, {}};
  rate.one_thread = measure_read(loop, 1, bytes_of_one / 256 * 256);
  rate.all_threads = num_threads() == 1 ? rate.one_thread : measure_read(loop, num_threads(), each);
  return rate;
}

// Every thread has an L2 cache of its own; L3 and memory are shared.
std::vector<MemoryRate> measure_memory() {
  const ReadLoop loop = read_loop();
  if (loop == nullptr) return {};
  const std::size_t l2 = cache_bytes("2", std::size_t{1} << 20);
  const std::size_t l3 = cache_bytes("3", std::size_t{32} << 20);
  const auto threads = static_cast<std::size_t>(num_threads());
  return {measure_level("L2", loop, l2 / 2, threads * (l2 / 2)),
          measure_level("L3", loop, l3 / 2, std::max(l3 / 2, threads * 2 * l2)),
          measure_level("DRAM", loop, 8 * l3, 8 * l3)};
}

nlohmann::ordered_json to_json(const Rate& rate) {
  return {{"best", rate.best}, {"median", rate.median}};
}

std::string row(const char* name, const char* detail, const PeakReport& report, const Rate& one,
                const Rate& all, double per_cycle) {
  std::string text = format("%-5s %-16s %9.1f %9.1f %9s", name, detail, one.best, one.median,
                            report.clock_ghz > 0.0 ? format("%.1f", per_cycle).c_str() : "-");
  if (report.threads > 1) text += format("   %9.1f %9.1f", all.best, all.median);
  return text + "\n";
}

std::string heading(const PeakReport& report, const char* name, const char* per_cycle) {
  std::string text = format("%-22s %9s %9s %9s", name, "best", "median", per_cycle);
  if (report.threads > 1) {
    text += format("   %9s %9s  with %d threads", "best", "median", report.threads);
  }
  return text + "\n";
}

}  // namespace

// Each thread has units of its own and is timed for itself, while all are at work: a thread that
// another program interrupts does not spoil the others' repetitions.
Rate measure_peak(const PeakLoop& loop, int threads, double seconds) {
  std::vector<Rate> rates(static_cast<std::size_t>(threads));
  parallel_for(threads, [&](std::int64_t t) {
    rates[static_cast<std::size_t>(t)] =
        measure_rate(static_cast<double>(kRounds * kProductsPerRound * loop.macs), seconds,
                     [&] { loop.run(kRounds); });
  });
  Rate sum;
  for (const Rate& rate : rates) {
    sum.best += rate.best;
    sum.median += rate.median;
  }
  return sum;
}

const PeakLoop* peak_loop_for(const std::string& precision, Isa isa) {
  const PeakLoop* best = nullptr;
  for (const PeakLoop& loop : peak_loops()) {
    if (precision == loop.precision && isa_includes(isa, loop.isa) && loop.available()) {
      best = &loop;
    }
  }
  return best;
}

PeakReport measure_peaks() {
  PeakReport report;
  report.cpu = cpu_model_name();
  report.threads = num_threads();
  report.clock_ghz = measure_clock_ghz();
  for (const PeakLoop& loop : peak_loops()) {
    if (!loop.available()) continue;
    Peak peak{&loop, measure_peak(loop, 1, kSecondsPerRate), {}};
    peak.all_threads =
        report.threads == 1 ? peak.one_thread : measure_peak(loop, report.threads, kSecondsPerRate);
    report.peaks.push_back(peak);
  }
  report.memory = measure_memory();
  return report;
}

nlohmann::ordered_json to_json(const PeakReport& report) {
  nlohmann::ordered_json json = {{"cpu", report.cpu},
                                 {"threads", report.threads},
                                 {"clock_ghz", report.clock_ghz},
                                 {"peaks", nlohmann::ordered_json::array()},
                                 {"memory", nlohmann::ordered_json::array()}};
  for (const Peak& peak : report.peaks) {
    json["peaks"].push_back({{"precision", peak.loop->precision},
                             {"instruction", peak.loop->instruction},
                             {"isa", name_of(peak.loop->isa)},
                             {"one_thread_gmac_per_s", to_json(peak.one_thread)},
                             {"all_threads_gmac_per_s", to_json(peak.all_threads)}});
  }
  for (const MemoryRate& rate : report.memory) {
    json["memory"].push_back({{"level", rate.level},
                              {"bytes", rate.bytes},
                              {"one_thread_gb_per_s", to_json(rate.one_thread)},
                              {"all_threads_gb_per_s", to_json(rate.all_threads)}});
  }
  return json;
}

std::string to_table(const PeakReport& report) {
  std::string table = report.cpu;
  if (report.clock_ghz > 0.0) table += format(", %.2f GHz", report.clock_ghz);
  table += "\n\n" + heading(report, "multiply, GMAC/s", "MAC/cycle");
  const double per_cycle = report.clock_ghz > 0.0 ? 1.0 / report.clock_ghz : 0.0;
  for (const Peak& p : report.peaks) {
    table += row(p.loop->precision, p.loop->instruction, report, p.one_thread, p.all_threads,
                 p.one_thread.best * per_cycle);
  }
  if (report.memory.empty()) return table;
  table += "\n" + heading(report, "read, GB/s", "B/cycle");
  for (const MemoryRate& m : report.memory) {
    const std::string size = format("%.1f MB", static_cast<double>(m.bytes) / (1 << 20));
    table += row(m.level.c_str(), size.c_str(), report, m.one_thread, m.all_threads,
                 m.one_thread.best * per_cycle);
  }
  return table;
}

PeakWatch::PeakWatch(const std::string& precision, Isa isa) : loop_(peak_loop_for(precision, isa)) {
  measure_again();
}

void PeakWatch::measure_again() {
  if (loop_ == nullptr) return;
  best_ = std::max(best_, measure_peak(*loop_, num_threads(), kSecondsPerRate).best);
}

}  // namespace octet
