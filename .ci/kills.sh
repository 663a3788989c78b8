#!/bin/bash
# kills.sh [KILLS]: training that is killed (kill -9) at random moments and resumed ends with the weights of a run that
# nobody disturbed. Every second kill waits for a save to begin. A run that finishes is compared, and the next begins.
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${1-20}
train=build/release/bin/train
[ -x $train ] || { echo "error: no $train: run ./octet build first"; exit 1; }
export OCTET_HOME=$PWD

# A short run which saves after every step, so that there is much to hit.
settings=(--config configs/lenet_qat.yaml --set train.epochs=1 --set quantize.epochs=1 --set checkpoint.every_seconds=0)

work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null; rm -rf "$work"' EXIT
RANDOM=${SEED:=$(date +%s)}
echo "SEED=$SEED"

# weights RUN: the hashes of the run's weights, as its summary states them.
weights() { grep -oE '"weights_sha256": *"[0-9a-f]{64}"' "$1/summary.json"; }
# saving RUN PID: the file that this process is writing is there, or was left behind by its kill.
saving() { compgen -G "$1/*.tmp-$2-*" >/dev/null; }
now_ms() { date +%s%3N; }

started=$(now_ms)
$train "${settings[@]}" --out "$work/undisturbed" >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
duration_ms=$(($(now_ms) - started))
expected=$(weights "$work/undisturbed")
echo "undisturbed: $duration_ms ms, $expected"

# compare RUN: a run that has finished has the expected weights.
compare() {
  [ "$(weights "$1")" = "$expected" ] || { echo "error: after kills: $(weights "$1")"; exit 1; }
  echo "finished with the same weights"
}

# start RUN: starts the run, or resumes it, in the background.
start() {
  local how=("${settings[@]}" --out "$1")
  [ ! -d "$1" ] || how=(--resume "$1")
  $train "${how[@]}" >"$work/log" 2>&1 &
  pid=$!
}
# finish: waits for it, sets status; anything but success and our kill is an error.
finish() {
  status=0
  wait $pid 2>/dev/null || status=$?
  pid=
  [ $status -eq 0 ] || [ $status -eq 137 ] || { tail "$work/log"; echo "error: failed by itself"; exit 1; }
}

done_kills=0
kills_in_save=0
runs=1
run=$work/run1
while [ $done_kills -lt "$kills" ]; do
  start "$run"
  sleep_ms=$((duration_ms * (RANDOM % 200) / 1000))  # up to a fifth of the run
  sleep "$(printf '%d.%03d' $((sleep_ms / 1000)) $((sleep_ms % 1000)))"
  if [ $((done_kills % 2)) -eq 1 ]; then
    while kill -0 $pid 2>/dev/null && ! saving "$run" $pid; do :; done
  fi
  killed=$pid
  kill -9 $pid 2>/dev/null || true
  finish
  if [ $status -eq 137 ]; then
    done_kills=$((done_kills + 1))
    where=
    if saving "$run" "$killed"; then where=', in a save'; kills_in_save=$((kills_in_save + 1)); fi
    echo "kill $done_kills after $sleep_ms ms$where"
  else
    compare "$run"
    runs=$((runs + 1))
    run=$work/run$runs
  fi
done
start "$run"
finish
compare "$run"
! compgen -G "$work/.new-run-*" >/dev/null || { echo "error: what a kill left of a new folder is still there"; exit 1; }
[ "$kills" -lt 4 ] || [ $kills_in_save -gt 0 ] || { echo "error: none of the kills met a save"; exit 1; }
echo "$done_kills kills, $kills_in_save of them in a save, $runs runs, all with the same weights"
