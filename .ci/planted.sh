#!/bin/bash
# planted.sh [NAME...]: do the harnesses find faults? Each tests/fuzz/planted/NAME.patch takes a check out of one source file, and
# its first line names the harness that must see it. The file is patched in a scratch copy, compiled and linked before the rest of the harness
# (build/fuzz, which .ci/fuzz.sh builds and which stays as it is), and the harness runs as .ci/fuzz.sh does until it stops.
# A line per fault: seconds and executions until it was found. Fails if one was not found within five minutes.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
limit=300
[ $# -gt 0 ] || set -- $(cd tests/fuzz/planted && ls -- *.patch | sed 's/\.patch$//')
.ci/fuzz.sh --build || exit
home=$PWD failed=0
for name; do
  patch=$home/tests/fuzz/planted/$name.patch
  harness=$(sed -n '1s/^harness: //p' "$patch")
  file=$(sed -n 's,^+++ b/,,p' "$patch")
  scratch=$home/build/planted/$name
  rm -rf "$scratch"
  mkdir -p "$scratch/findings" "$(dirname "$scratch/$file")"
  cp "$file" "$scratch/$file"
  patch -s -p1 -d "$scratch" <"$patch" || { echo "error: $name.patch does not fit $file any more: make it anew" >&2; failed=1; continue; }

  # The command that compiles the file, by itself or as one of those that a unity source includes.
  commands=$(ninja -C build/fuzz -t commands "fuzz_$harness" | grep -v '^ninja: ')
  source=$home/$file
  compile=$(grep -F -- " -c $source" <<<"$commands")
  if [ -z "$compile" ]; then
    unity=$(grep -lF "\"$source\"" $(grep -oE -- '-c [^ ]*unity_[0-9]+_cxx\.cxx$' <<<"$commands" | sed 's/^-c //'))
    sed "s,\"$source\",\"$scratch/$file\"," "$unity" >"$scratch/unity.cxx"
    compile=$(grep -F -- " -c $unity" <<<"$commands" | sed "s, -c .*, -c $scratch/unity.cxx,")
  else
    compile=$(sed "s, -c .*, -c $scratch/$file," <<<"$compile")
  fi
  object=$(sed -E 's,.* -o ([^ ]+) -c .*,\1,' <<<"$compile")
  compile=$(sed -E "s,$, -w,; s, -o [^ ]+ -c , -o $scratch/planted.o -c ,; s, -MF [^ ]+, -MF $scratch/planted.d," <<<"$compile")
  # In front of the libraries: it defines all that the member of a library would, so that is not taken.
  link=$(tail -n 1 <<<"$commands" | sed -E "s, $object , $scratch/planted.o ,; s, -o ([^ ]*fuzz_$harness) , -o $scratch/fuzz $scratch/planted.o ,")
  [ "$(grep -o "$scratch/planted.o" <<<"$link" | wc -l)" -lt 2 ] || link=${link/"-o $scratch/fuzz $scratch/planted.o"/"-o $scratch/fuzz"}
  (cd build/fuzz && eval "$compile" && eval "$link") >"$scratch/build.log" 2>&1 ||
    { tail -n 20 "$scratch/build.log" >&2; echo "error: $name: the build failed" >&2; failed=1; continue; }

  begin=$(date +%s.%N)
  FUZZ_PROGRAM=$scratch/fuzz FUZZ_FOLDER=$scratch .ci/fuzz.sh "$limit" "$harness" >"$scratch/fuzz.out" 2>&1
  status=$? seconds=$(echo "$(date +%s.%N) $begin" | awk '{ printf "%.1f", $1 - $2 }')
  if [ $status -ne 0 ] && [ -n "$(ls "$scratch/findings")" ]; then
    what=$(grep -ohE "Finding'|what\(\):.*|ERROR: [A-Za-z]+: [a-z-]+|runtime error: .*|Assertion.*failed" "$scratch/logs/$harness.log" | head -n 1)
    printf '%-28s %-14s found after %6s s, %s executions: %s\n' "$name" "$harness" "$seconds" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/logs/$harness.log")" "$what"
  else
    printf '%-28s %-14s NOT found in %s s\n' "$name" "$harness" "$seconds"; failed=1
  fi
done
exit $failed
