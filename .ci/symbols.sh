#!/bin/bash
# symbols.sh [BUILD]: an object file compiled for one instruction set exports its kernels and nothing else. A weak symbol
# in it (an inline function or template of some header) could be the copy that the linker keeps for the whole program,
# which would then fail on a machine without that instruction set.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1-build/release}

mapfile -t objects < <(find "$build" -regextype egrep -regex '.*_(avx2|avxvnni|avx512vnni|avx512bf16|avx512|neondot|sha)\.cc\.o')
[ ${#objects[@]} -gt 0 ] || { echo "error: no kernel objects in $build: build it first"; exit 1; }

bad=0
for object in "${objects[@]}"; do
  # nm's letters: T is a function of its own; W, V, u and i are shared with other files, B, D and R are data.
  if nm --demangle --defined-only --extern-only "$object" | grep -vE ' T octet::(kernels::|sha256_blocks_sha)' | sed "s|^|$object: |"; then
    bad=1
  fi
done
[ $bad -eq 0 ] || { echo "error: only functions of octet::kernels, and SHA-256's, may be exported here"; exit 1; }
echo "${#objects[@]} object files export kernels only"
