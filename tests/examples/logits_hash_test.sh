#!/bin/sh
# logits_hash_test.sh COMMAND...: what the program logits_hash prints and returns. COMMAND is the program, or an emulator
# and the program. Run from the root of the repository.
set -eu

model=tests/golden/every_op_v1.safetensors  # images [5, 7, 3], 3 classes
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tail -c 1050 "$model" >"$work/images"  # ten images: any bytes will do

# expect STATUS TEXT ARGUMENT...: the exit code, and a text that standard output and error must contain
expect() {
  status=$1 text=$2
  shift 2
  got=0
  $command "$@" >"$work/out" 2>&1 || got=$?
  [ "$got" -eq "$status" ] || { cat "$work/out"; echo "error: exit code $got instead of $status for: $*"; exit 1; }
  grep -qF -- "$text" "$work/out" || { cat "$work/out"; echo "error: no \"$text\" for: $*"; exit 1; }
}
command="$*"

expect 0 'usage: logits_hash' --help
expect 2 'expected MODEL and IMAGES'
expect 2 'unknown option --bach' --bach 3 "$model" "$work/images"
expect 2 '--batch needs a number' "$model" "$work/images" --batch
expect 2 '--threads needs a number of at least 1, got "0"' --threads 0 "$model" "$work/images"
expect 1 'none.safetensors' "$work/none.safetensors" "$work/images"
expect 1 'not a safetensors file' "$work/images" "$work/images"
expect 1 'none' "$model" "$work/none"
head -c 1000 "$model" >"$work/cut"
expect 1 'has 1000 bytes, expected a multiple of 105' "$model" "$work/cut"
expect 1 'truncated' "$work/cut" "$work/images"
: >"$work/empty"
expect 1 'has 0 bytes' "$model" "$work/empty"

hash=$($command "$model" "$work/images" 2>/dev/null)
echo "$hash" | grep -qE '^[0-9a-f]{64}$' || { echo "error: no hash: $hash"; exit 1; }
for options in '--batch 1' '--batch 7' '--batch 100 --threads 3'; do
  other=$($command $options "$model" "$work/images" 2>/dev/null)
  [ "$other" = "$hash" ] || { echo "error: another hash with $options"; exit 1; }
done
other=$(OCTET_ISA=scalar $command "$model" "$work/images" 2>/dev/null)
[ "$other" = "$hash" ] || { echo "error: another hash with OCTET_ISA=scalar"; exit 1; }
head -c 945 "$work/images" >"$work/fewer"
[ "$($command "$model" "$work/fewer" 2>/dev/null)" != "$hash" ] || { echo "error: the hash ignores images"; exit 1; }
command="env OCTET_ISA=avx3 $command"
expect 2 'unknown instruction set "avx3"' "$model" "$work/images"
