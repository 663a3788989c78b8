#include "file/shell.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/file/temp_folder.h"

namespace octet {
namespace {

// What bash makes of a word.
std::string echoed(const std::string& word) {
  const TempFolder folder;
  const std::string script = folder / "script";
  std::ofstream(script) << "printf %s " << word << "\n";
  FILE* pipe = popen(("bash " + script).c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
  REQUIRE(pclose(pipe) == 0);
  return text;
}

}  // namespace

TEST_SUITE_BEGIN("file");

TEST_CASE("shell: a plain word stays as it is") {
  for (const char* word : {"runs/lenet_qat-001", "/tmp/a.b", "train.lr=0.1", "a,b:c@d%e+f"}) {
    CHECK(shell_quoted(word) == word);
  }
}

TEST_CASE("shell: what was quoted comes back from a shell, byte for byte") {
  for (const std::string word : {"my runs/it's", "a b", "$HOME", "`id`", "a\"b", "back\\slash", "*",
                                 "~", "", "a;b", "#a", "two\nlines", "tab\there", "\x1b[31mred",
                                 "quote'and\nline\\", "\xc3\xa4 \xe2\x82\xac", "!!"}) {
    CAPTURE(word);
    CHECK(echoed(shell_quoted(word)) == word);
  }
  CHECK(shell_quoted("a\x1b") == "$'a\\x1b'");
}

TEST_CASE("shell: a name that begins with a dash is no option") {
  CHECK(shell_quoted("-rf") == "./-rf");
  CHECK(shell_quoted("- a") == "'./- a'");
}

TEST_SUITE_END();

}  // namespace octet
