#!/bin/bash
# test.sh [--all | [--dry-run] STEP...]: the checks behind `./octet test`, each a function or script of its own. Prints a
# line per step, the end of the output of one that fails, and at the end `N passed, M failed`: the sum of all tests and
# checks.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

quick='build format layers size symbols spills hardening locale unit kernels parity programs qemu emulated'
all="$quick slow clang sanitizers tsan kills weights mnist"

usage="usage: ./octet test [--all | [--dry-run] STEP...], steps: $all
  --dry-run prints the steps that would run. A step that tests what was built builds it first."
dry_run=
case ${1-} in
  -h | --help) echo "$usage"; exit 0 ;;
  --dry-run) dry_run=yes; shift ;;
esac
case ${1-} in
  '') steps=$quick ;;
  --all) steps=$all ;;
  -*) echo "error: no option $1; $usage" >&2; exit 2 ;;
  *) steps=$* ;;
esac

export CTEST_PARALLEL_LEVEL=2 CTEST_OUTPUT_ON_FAILURE=1 OMP_WAIT_POLICY=passive
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}; fi

# compile PRESET: configures and builds everything of a preset; a warning is an error.
compile() { cmake --preset "$1" && cmake --build --preset "$1"; }

# run_tests PRESET [LABEL]: runs the tests of a build; that there are none is a failure.
run_tests() {
  ctest --test-dir "build/$1" --no-tests=error --timeout 300 ${2+-L "^$2\$"}
}

# The steps that test what step_build makes.
on_release='symbols spills unit kernels parity programs qemu slow kills weights mnist'

step_build() { compile release; }
step_format() { .ci/format.sh; }
step_layers() { .ci/layers.sh; }
step_size() { .ci/size.sh; }
step_symbols() { .ci/symbols.sh; }
step_spills() { .ci/spills.sh; }
step_hardening() { .ci/hardening.sh; }
step_locale() { .ci/locale.sh; }
step_unit() { run_tests release unit; }
step_kernels() { run_tests release kernel; }
step_parity() { run_tests release parity; }
step_programs() { run_tests release program; }
# qemu-user itself fails where a child of fork starts threads, and shows the signals that its own threads block: two kinds of
# cases that say nothing of the code there. They run natively in `unit`.
step_qemu() {
  compile arm64 &&
    ctest --test-dir build/arm64 --no-tests=error --timeout 300 -E 'a child of fork|its threads block signals' &&
    .ci/same_logits.sh
}
# What AVX-512 and AVX-VNNI compute, on a CPU without them: what depends on the kernels only.
step_emulated() {
  cmake --preset emulated &&
    cmake --build --preset emulated --target test_kernels_u8s8 test_kernels_f32 test_kernels_bf16 \
      test_runtime &&
    run_tests emulated kernel && build/emulated/bin/test_runtime
}
step_slow() { ctest --test-dir build/release --timeout 1200 -L '^slow$'; }  # there may be none
# The other compiler: everything that computes, and the programs; the tests of the rest would only cost minutes.
step_clang() {
  cmake --preset clang &&
    cmake --build --preset clang --target train eval bench logits_hash test_base test_kernels test_kernels_u8s8 \
      test_kernels_f32 test_kernels_bf16 test_runtime test_ops test_quant test_nn test_qat test_models test_golden test_inference &&
    .ci/spills.sh build/clang && run_tests clang '(kernel|unit|parity)'
}
# Without what only installs, compiles or reads scripts: that is the same in `unit` and `programs`.
step_sanitizers() {
  compile dev &&
    ctest --test-dir build/dev --no-tests=error --timeout 300 -E '^(deploy: the installed package|machinery:|octet: installs|test steps:)'
}
# The threads of the deployed library, without a suppression: whoever uses a pool is in these tests.
step_tsan() {
  cmake --preset tsan &&
    cmake --build --preset tsan --target test_base test_runtime test_deploy &&
    for name in base runtime deploy; do build/tsan/bin/test_$name || return; done
}
step_kills() { .ci/kills.sh; }
step_weights() { .ci/same_weights.sh lenet_bn_qat.yaml 20; }
step_mnist() { .ci/mnist.sh; }

for step in $steps; do
  declare -F "step_$step" >/dev/null || { echo "error: no step '$step'; there are: $all" >&2; exit 2; }
done

# A test of yesterday's build says nothing about today's code: before what tests a build it is built.
for step in $steps; do
  case " $on_release " in
    *" $step "*) steps="build $(printf '%s\n' $steps | grep -vx build | tr '\n' ' ')"; break ;;
  esac
done
if [ -n "$dry_run" ]; then
  echo $steps  # one space between them
  exit 0
fi

# count FILE STATUS: sets passed, failed and skipped from what ctest said in a step's output. A step without ctest is one
# check; a step that failed although all its tests passed has one failure.
count() {
  local ran
  read -r failed ran < <(sed -nE 's/.* ([0-9]+) tests? failed out of ([0-9]+)$/\1 \2/p' "$1" |
    awk '{ failed += $1; ran += $2 } END { print failed + 0, ran + 0 }')
  skipped=$(grep -c '\*\*\*Skipped' "$1")
  passed=$((ran - failed - skipped))
  if [ "$2" -ne 0 ]; then
    [ "$failed" -gt 0 ] || failed=1
  elif [ "$ran" -eq 0 ]; then
    passed=1
  fi
}

mkdir -p build/test_logs
summary=
total_passed=0
total_failed=0
for step in $steps; do
  log=build/test_logs/$step.log
  printf '%-12s' "$step"
  SECONDS=0
  timeout --foreground 2400 bash -c "$(declare -f); step_$step" >"$log" 2>&1 </dev/null
  status=$?
  count "$log" $status
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  if [ $status -eq 0 ]; then verdict=ok; else verdict=FAILED; fi
  line=$(printf '%-6s %4d passed %3d failed %3d skipped %5d s' $verdict "$passed" "$failed" "$skipped" $SECONDS)
  echo "$line"
  summary+=$(printf '%-12s%s' "$step" "$line")$'\n'
  [ $status -eq 0 ] || { echo "---- $log"; tail -n 200 "$log"; echo "---- end of $step (exit code $status)"; }
  if [ "$step" = build ] && [ $status -ne 0 ]; then
    echo "The build failed, so no further step runs."
    break
  fi
done

printf '\n%s\n%d passed, %d failed\n' "$summary" "$total_passed" "$total_failed"
[ "$total_failed" -eq 0 ]
