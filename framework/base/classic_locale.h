#pragma once

#include <locale.h>

#include <locale>
#include <sstream>
#include <utility>

namespace octet {

// Numbers in our files and messages look the same whatever locale the process has: no grouped
// digits, a point. C++'s streams take the locale of std::locale::global, C's functions (and with
// them JSON's reader) that of setlocale; .ci/locale.sh finds what asks neither of these two.

// Classic<std::ifstream> file(path): a stream in the classic locale.
template <class Stream>
class Classic : public Stream {
 public:
  template <class... Args>
  explicit Classic(Args&&... args) : Stream(std::forward<Args>(args)...) {
    this->imbue(std::locale::classic());
  }
};
using ClassicStream = Classic<std::ostringstream>;

// While one lives, C's functions read and write numbers on its thread as in the "C" locale.
class ClassicLocale {
 public:
  ClassicLocale() : before_(::uselocale(classic())) {}
  ~ClassicLocale() { ::uselocale(before_); }
  ClassicLocale(const ClassicLocale&) = delete;
  ClassicLocale& operator=(const ClassicLocale&) = delete;

 private:
  static ::locale_t classic() {
    static const ::locale_t locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
    return locale;
  }

  const ::locale_t before_;
};

}  // namespace octet
