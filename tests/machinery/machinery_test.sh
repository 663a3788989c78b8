#!/bin/bash
# machinery_test.sh CXX FLAGS: the tests' own machinery (octet_test.cmake, main.cc, skip.h) gives each of planted_cases.cc
# the verdict that its name begins with. Run from the root of the repository.
set -euo pipefail
export LC_ALL=C
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { cat "$work/log"; echo "error: $*"; exit 1; }

mkdir "$work/planted"
cp tests/machinery/planted_cases.cc "$work/planted/planted_test.cc"
cat >"$work/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(planted LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
add_library(octet_flags INTERFACE)
target_include_directories(octet_flags INTERFACE $root)
enable_testing()
include($root/tests/octet_test.cmake)
octet_test(planted DIR planted LABEL unit)
END
{ cmake -G Ninja -S "$work" -B "$work/build" -DCMAKE_CXX_COMPILER="$1" -DCMAKE_CXX_FLAGS="$2" -DCMAKE_BUILD_TYPE=Debug &&
  cmake --build "$work/build"; } >"$work/log" 2>&1 || fail "the planted cases do not build"

CTEST_OUTPUT_ON_FAILURE=0 ctest --test-dir "$work/build" >"$work/log" 2>&1 && fail "ctest passes although cases fail"
# "3/11 Test  #3: Skipped: says why ....***Skipped   0.00 sec" -> what was wanted, what came
sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([A-Za-z]+)[: ].*(Passed|\*\*\*[A-Za-z]+) .*/\1 \2/p' "$work/log" |
  tr -d '*' >"$work/verdicts"
planted=$(grep -c '^TEST_CASE' tests/machinery/planted_cases.cc)
[ "$(wc -l <"$work/verdicts")" -ge "$planted" ] || fail "not all of $planted cases were run"
while read -r wanted came; do
  [ "$wanted" = "$came" ] || fail "a case that should be \"$wanted\" is \"$came\""
done <"$work/verdicts"
