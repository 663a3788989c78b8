#!/bin/bash
# locale.sh: no code of ours asks the process's locale how a number or a letter looks. Streams are Classic<...>, C's
# functions stand behind a ClassicLocale (base/classic_locale.h), std::from_chars and to_chars need neither. The check is
# tried first on lines that are known to be right and wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

# asks FILE...: prints each line that may depend on the locale, fails if there was one.
asks() {
  awk '
    function wrong(what) { print FILENAME ":" FNR ": " $0 "  <- " what; bad = 1 }
    FNR == 1 { behind = 0 }
    { sub(/[ \t]*\/\/.*/, "") }
    /ClassicLocale [a-z_]+;/ { behind = FNR }  # covers what is near
    behind && FNR - behind < 20 { next }
    /std::[io]?(string|f)stream[ >{(]/ && !/Classic</ && !/base\/classic_locale/ { wrong("a stream: Classic<...>") }
    /[^_a-z](sto(i|l|ll|ul|ull|f|d|ld)|strto(d|f|ld|l|ll|ul|ull)|ato(i|l|ll|f)) *\(/ { wrong("std::from_chars") }
    /printf *\(.*%[-+ #0-9.*]*[aefgAEFG]/ { wrong("format of base/text.h") }
    /(json|Json)::(sax_)?parse *\(/ { wrong("a ClassicLocale in front") }
    /(std::|[^:_a-z.])(isalpha|isalnum|isdigit|isspace|isprint|ispunct|iscntrl|isupper|islower|tolower|toupper) *\(/ { wrong("base/text.h") }
    /put_time|strftime|std::locale\(|setlocale/ { wrong("the classic locale") }
    END { exit bad }' "$@"
}

# try RIGHT|WRONG LINE...
trial=$(mktemp -d)
trap 'rm -rf "$trial"' EXIT
try() {
  local wanted=$1 found=wrong
  shift
  printf '%s\n' "$@" >"$trial/trial.cc"
  if asks "$trial/trial.cc" >/dev/null; then found=right; fi
  [ $found = "$wanted" ] || { echo "error: this check calls \"$*\" $found"; exit 1; }
}
try wrong 'std::ostringstream out;'
try wrong 'if (std::istringstream(text) >> value) {'
try wrong 'std::ifstream file(path);'
try right 'Classic<std::ifstream> file(path);'
try right 'ClassicStream out;'
try right 'friend std::ostream& operator<<(std::ostream& out, const Verdict& v);'
try wrong 'value = std::stod(text);'
try wrong 'value = strtod(text, &end);'
try wrong 'std::snprintf(text, sizeof(text), "%.4f", 3.0);'
try right 'std::fprintf(stderr, "%s %d\n", text, 3);'
try wrong 'std::fprintf(stderr, "%5.2f\n", 3.0);'
try wrong 'return nlohmann::json::parse(text);'
try right 'const ClassicLocale locale;' 'return nlohmann::json::parse(text);'
try wrong 'if (std::isalpha(c)) return;'
try right 'if (is_letter(c) && !kernel.is_digit(c)) return;'
try right '// unlike std::stod(text)'

# In a process of their own: the example's locale is its own affair, and the generator of data runs while building. The C
# API formats texts and whole numbers only; cxxopts reads numbers in programs, whose locale is our own.
.ci/sources.sh | grep -E '^(framework|models|datasets|train|eval|bench)/' |
  grep -vE '^(framework/base/(classic_locale|text)\.h|framework/deploy/c_api\.cc|datasets/tools/.*|bench/peers/.*)$' | {
  mapfile -t files
  asks "${files[@]}"
}
if grep -nE '%[-+ #0-9.*]*[aefgAEFG'"'"']' framework/deploy/c_api.cc; then
  echo "error: vsnprintf formats this by the process's locale"
  exit 1
fi
