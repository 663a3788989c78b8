#!/bin/sh
# steps_test.sh: which steps `./octet test` would run, and that those that test the build are preceded by it.
set -eu
cd "$(dirname "$0")/../.."

# expect STEPS ARGUMENT...: what a dry run prints.
expect() {
  steps=$1
  shift
  got=$(.ci/test.sh --dry-run "$@")
  [ "$got" = "$steps" ] || { echo "test.sh --dry-run $*: expected '$steps', got '$got'"; exit 1; }
}

expect 'build unit' unit
expect 'build layers unit' layers unit
expect 'build unit' unit build
expect 'format layers' format layers  # these read sources
for arguments in '' --all; do
  # shellcheck disable=SC2086  # a word or none
  first=$(.ci/test.sh --dry-run $arguments | cut -d ' ' -f 1,2)
  [ "$first" = 'build format' ] || { echo "all steps begin with '$first'"; exit 1; }
done
if .ci/test.sh --dry-run no_such_step 2>/dev/null; then
  echo 'an unknown step is accepted'
  exit 1
fi
.ci/test.sh --help | grep -q '^usage: '
