#include "file/utf8.h"

#include <doctest/doctest.h>

namespace octet {
namespace {

TEST_CASE("utf8: text in UTF-8 is told from other bytes") {
  for (const char* good : {"", "abc", "caf\xc3\xa9", "\xe2\x82\xac", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x9f\x90\xb1", "\xf4\x8f\xbf\xbf", "\x7f"}) {
    CAPTURE(good);
    CHECK(is_utf8(good));
  }
  const std::string_view bad[] = {
      "caf\xe9",           // Latin-1
      "\x80",              // a continuation alone
      "\xc3",              // one is missing
      "\xe2\x82",          // the last is missing
      "\xe2\x82z",         // another byte in its place
      "\xc0\xaf",          // overlong
      "\xe0\x80\xaf",      // overlong
      "\xf0\x80\x80\xaf",  // overlong
      "\xed\xa0\x80",      // a surrogate
      "\xf4\x90\x80\x80",  // above U+10FFFF
      "\xf8\x88\x80\x80\x80",
      "\xff",
  };
  for (const std::string_view text : bad) CHECK_FALSE(is_utf8(text));
}

}  // namespace
}  // namespace octet
