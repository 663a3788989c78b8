#!/bin/bash
# fuzz.sh [SECONDS [HARNESS...]]: builds the fuzz harnesses (tests/fuzz) and runs each for so many seconds (60), one after the
# other, from the seeds, the committed corpus and what earlier runs have found in build/fuzz/corpus. An input that crashes,
# takes more than a second of processor time (fuzz.h) or 512 MiB at once ends the harness and is left in build/fuzz/findings. Fails if there was one.
# A line per harness, as docs/fuzzing.md has them: seconds, executions, executions per second, edges that were reached,
# inputs that reach them (the corpus, and its bytes), findings.
#   fuzz.sh --build               only builds
#   fuzz.sh --merge [HARNESS...]  makes the committed corpus anew: the fewest of all these inputs that reach the same
#   fuzz.sh --planted [NAME...]   .ci/planted.sh: faults that the harnesses must find
set -uo pipefail
cd "$(dirname "$0")/.." || exit
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}; fi
if [ "${1-}" = --planted ]; then shift; exec .ci/planted.sh "$@"; fi

build() {
  mkdir -p build
  cmake --preset fuzz >build/fuzz.log 2>&1 && cmake --build --preset fuzz --target fuzz >>build/fuzz.log 2>&1 ||
    { tail -n 60 build/fuzz.log >&2; echo "error: the build failed; its output: build/fuzz.log" >&2; exit 1; }
  LLVM_PROFILE_FILE=/dev/null build/fuzz/bin/make_seeds build/fuzz/seeds || exit
}
case ${1-} in
  --build) build; exit ;;
  --merge) mode=merge; shift ;;
  *) mode=fuzz seconds=${1-60}; shift || true ;;
esac
# planted.sh brings a program of its own, and a folder for what it finds.
[ -n "${FUZZ_PROGRAM-}" ] || build
folder=${FUZZ_FOLDER-$PWD/build/fuzz}
harnesses=$*
[ -n "$harnesses" ] || harnesses=$(cd build/fuzz/bin && printf '%s\n' fuzz_* | sed 's/^fuzz_//')
mkdir -p "$folder/corpus" "$folder/findings" "$folder/logs"

# One thread: a run is then a function of its input. Memory that cannot be had is an Error, not a finding.
export OMP_NUM_THREADS=1 ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=0:malloc_context_size=3
export LLVM_PROFILE_FILE=/dev/null  # counts that only coverage.sh asks for
# Where harnesses write files: memory, if there is such a folder.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
failed=0
[ $mode = merge ] || printf '%-14s %8s %12s %8s %7s %7s %9s  %s\n' harness seconds executions per_s edges inputs bytes findings
for harness in $harnesses; do
  mkdir -p "$folder/corpus/$harness"
  inputs="build/fuzz/seeds/$harness"
  for committed in tests/fuzz/corpus/"$harness" tests/fuzz/regressions/"$harness"; do
    [ ! -d "$committed" ] || inputs="$inputs $committed"
  done
  limit=16384
  case $harness in image | image_folder | idx | onnx) limit=8192 ;; int8_graph | c_api_run) limit=256 ;; config | config_base) limit=4096 ;; esac
  dictionary=
  case $harness in config*) dictionary=-dict=build/fuzz/seeds/config.dict ;; esac
  log=$folder/logs/$harness.log
  program=${FUZZ_PROGRAM-build/fuzz/bin/fuzz_$harness}
  common="-entropic=0 -max_len=$limit -timeout=300 -rss_limit_mb=1024 -malloc_limit_mb=512 -print_final_stats=1 -artifact_prefix=$folder/findings/$harness- $dictionary"
  if [ $mode = merge ]; then
    rm -rf "$folder/merged"
    mkdir -p "$folder/merged"
    # shellcheck disable=SC2086  # lists of words
    "$program" $common -use_counters=0 -set_cover_merge=1 "$folder/merged" "$folder/corpus/$harness" $inputs >"$log" 2>&1 ||
      { tail -n 20 "$log" >&2; failed=1; continue; }
    rm -rf "tests/fuzz/corpus/$harness"
    mkdir -p "tests/fuzz/corpus/$harness"
    for input in "$folder/merged"/*; do  # short names
      cp "$input" "tests/fuzz/corpus/$harness/$(basename "$input" | cut -c 1-12)"
    done
    printf '%-14s %6d inputs, %8d bytes\n' "$harness" "$(ls "tests/fuzz/corpus/$harness" | wc -l)" \
      "$(cat "tests/fuzz/corpus/$harness"/* | wc -c)"
    continue
  fi
  begin=$(date +%s)
  # shellcheck disable=SC2086  # lists of words
  "$program" $common -max_total_time="$seconds" "$folder/corpus/$harness" $inputs >"$log" 2>&1
  status=$?
  took=$(($(date +%s) - begin)) executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  edges=$(sed -nE 's/.* cov: ([0-9]+).*/\1/p' "$log" | tail -n 1)
  corpus=$(sed -nE 's,.* corp: ([0-9]+)/([0-9]+[KMG]?b).*,\1 \2,p' "$log" | tail -n 1)
  if [ $status -eq 0 ]; then verdict=0; else verdict="FINDING: $log"; failed=1; fi
  # shellcheck disable=SC2086
  printf '%-14s %8s %12s %8s %7s %7s %9s  %s\n' "$harness" "$took" "${executed:-?}" \
    "$((${executed:-0} / (took > 0 ? took : 1)))" "${edges:-?}" ${corpus:-? ?} "$verdict"
done
exit $failed
