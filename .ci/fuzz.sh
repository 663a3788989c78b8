#!/bin/bash
# fuzz.sh [SECONDS [HARNESS...]]: builds the fuzz harnesses (tests/fuzz) and runs each for so many seconds, one after the
# other, from the seeds, the committed corpus and what earlier runs have found in build/fuzz/corpus. An input that crashes,
# takes more than a second of processor time (fuzz.h) or 512 MiB at once ends the harness and is left in build/fuzz/findings. Fails if there was one.
# A line per harness: inputs that were executed, coverage, verdict.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
seconds=${1-60}
shift || true
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}; fi
cmake --preset fuzz >build/fuzz.log 2>&1 && cmake --build --preset fuzz --target fuzz >>build/fuzz.log 2>&1 ||
  { tail -n 60 build/fuzz.log >&2; echo "error: the build failed; its output: build/fuzz.log" >&2; exit 1; }

cd build/fuzz || exit
mkdir -p corpus findings logs
bin/make_seeds seeds || exit
harnesses=$*
[ -n "$harnesses" ] || harnesses=$(cd bin && printf '%s\n' fuzz_* | sed 's/^fuzz_//')
# One thread: a run is then a function of its input. Memory that cannot be had is an Error, not a finding.
export OMP_NUM_THREADS=1 ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=0
failed=0
for harness in $harnesses; do
  mkdir -p "corpus/$harness"
  committed=
  for folder in ../../tests/fuzz/corpus/"$harness" ../../tests/fuzz/regressions/"$harness"; do
    [ ! -d "$folder" ] || committed="$committed $folder"
  done
  limit=65536
  case $harness in image) limit=8192 ;; int8_graph) limit=256 ;; config) limit=4096 ;; esac
  dictionary=
  [ ! -f "seeds/$harness.dict" ] || dictionary=-dict=seeds/$harness.dict
  log=logs/$harness.log
  # shellcheck disable=SC2086  # lists of words
  bin/fuzz_"$harness" -max_total_time="$seconds" -max_len=$limit -timeout=300 -rss_limit_mb=1024 -malloc_limit_mb=512 \
    -print_final_stats=1 -artifact_prefix="findings/$harness-" $dictionary \
    "corpus/$harness" "seeds/$harness" $committed >"$log" 2>&1
  status=$?
  executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  coverage=$(sed -nE 's/.* (cov: [0-9]+).*/\1/p' "$log" | tail -n 1)
  if [ $status -eq 0 ]; then verdict=ok; else verdict="FINDING, see build/fuzz/$log"; failed=1; fi
  printf '%-12s %12s executions, %s: %s\n' "$harness" "${executed:-?}" "$coverage" "$verdict"
done
exit $failed
