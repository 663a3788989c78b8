#!/bin/bash
# same_weights.sh CONFIG STEPS [TRAIN OPTION...]: after so many steps the weights are the same, hash for hash, for every
# number of threads and every instruction set, and also for a run that was stopped at a random step and resumed.
# THREADS ("1 2 4") and ISAS (all that this machine has but scalar, which takes minutes a step for a large network) say what
# is tried; all ISAS with all THREADS. SEED repeats the random step. What docs/results.md states:
#   .ci/same_weights.sh resnet20.yaml 200
#   .ci/same_weights.sh resnet50.yaml 20 --set data.batch_size=8
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,7s/^# //p' "$0" >&2; exit 2; }
home=$(readlink -f "$(dirname "$0")/..")
config=$1 steps=$2
shift 2
train=$home/build/release/bin/train
[ -x "$train" ] || { echo "error: no $train: run ./octet build first"; exit 1; }
export OCTET_HOME=$home OMP_WAIT_POLICY=passive  # more threads than processors must not wait spinning

# has ISA: this machine can run it; /proc/cpuinfo writes avx_vnni and avx512_vnni.
has() { [ "$1" = scalar ] || grep -qwE "${1/vnni/_?vnni}" /proc/cpuinfo; }
if [ -z "${ISAS-}" ]; then
  for isa in avx2 avxvnni avx512vnni; do
    if has $isa; then ISAS+=" $isa"; else echo "this machine has no $isa"; fi
  done
fi
read -ra threads <<<"${THREADS-1 2 4}"
read -ra isas <<<"${ISAS:-scalar}"
RANDOM=${SEED:=$(date +%s)}
echo "SEED=$SEED"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hashes=()
# try ISA THREADS STEPS OPTION...: runs train up to this step; prints and keeps the hash of the weights.
try() {
  local hash
  hash=$("$train" --isa "$1" --threads "$2" --stop-after "$3" "${@:4}" 2>"$work/log" | sed -n 's/^weights_sha256 //p') || true
  [ -n "$hash" ] || { tail "$work/log"; echo "error: no weights after $3 steps"; exit 1; }
  printf '%s  %s, %s threads, step %s%s\n' "$hash" "$1" "$2" "$3" "${what-}"
  hashes+=("$hash")
}

for isa in "${isas[@]}"; do
  for count in "${threads[@]}"; do
    try "$isa" "$count" "$steps" --config "$config" --out "$work/run" "$@"
    rm -rf "$work/run"
  done
done

# The halves of the resumed run differ in threads and, where there are several, in instruction set.
if [ "$steps" -gt 1 ]; then
  at=$((1 + RANDOM % (steps - 1)))
  try "${isas[0]}" "${threads[0]}" $at --config "$config" --out "$work/run" "$@"
  unset 'hashes[-1]'
  what=", resumed at step $at" try "${isas[-1]}" "${threads[-1]}" "$steps" --resume "$work/run"
fi

distinct=$(printf '%s\n' "${hashes[@]}" | sort -u | wc -l)
[ "$distinct" -eq 1 ] || { echo "error: $distinct different hashes"; exit 1; }
echo "one hash for ${#hashes[@]} runs of $steps steps"
