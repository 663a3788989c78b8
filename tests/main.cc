// What every test program begins with. Its exit code is the verdict, and ctest looks at nothing
// else: 0 if all is well, 77 (octet_test.cmake) if every case that ran was skipped, else a failure.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/skip.h"

#ifdef __SANITIZE_ADDRESS__
// Memory that cannot be had is an Error that tests look for; the sanitizer would end the program.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
#endif

namespace octet::testing {
namespace {

constexpr int kSkipped = 77;

struct Tally {
  bool skipped_this_case = false;
  int ran = 0, skipped = 0, wrong = 0;
};
Tally tally;

// Counts what doctest does not: cases that were skipped, and cases that say nothing.
class CaseListener final : public doctest::IReporter {
 public:
  explicit CaseListener(const doctest::ContextOptions&) {}

  void test_case_start(const doctest::TestCaseData& data) override {
    name_ = data.m_name;
    tally.skipped_this_case = false;
  }
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    const bool checks = stats.numAssertsCurrentTest > 0;
    ++tally.ran;
    tally.skipped += tally.skipped_this_case;
    if (checks == tally.skipped_this_case && stats.testCaseSuccess) {
      ++tally.wrong;
      std::fprintf(stderr, "error: \"%s\" %s\n", name_.c_str(),
                   checks ? "both checks and skips: split it" : "checks nothing");
    }
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  std::string name_;
};
REGISTER_LISTENER("cases", 1, CaseListener);

}  // namespace

void skip(const std::string& reason) {
  std::printf("skipped: %s\n", reason.c_str());
  std::fflush(stdout);
  tally.skipped_this_case = true;
}

}  // namespace octet::testing

int main(int argc, char** argv) {
  using octet::testing::tally;
  doctest::Context context(argc, argv);
  const int result = context.run();
  if (context.shouldExit() || result != 0) return result;  // --help, --list-test-cases, ...
  if (tally.ran == 0) std::fputs("error: no test case has this name\n", stderr);
  if (tally.ran == 0 || tally.wrong > 0) return EXIT_FAILURE;
  return tally.skipped == tally.ran ? octet::testing::kSkipped : EXIT_SUCCESS;
}
