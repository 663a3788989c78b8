#!/bin/bash
# hardening.sh [BUILD]: the programs and liboctet.so have full RELRO, BIND_NOW, a stack that nothing runs on, stack protector
# and _FORTIFY_SOURCE, and programs are PIE; the kernels have no guards in their loops. The check is tried first on what it
# must refuse.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1-build/release}

# flaws FILE: prints what a program or shared library lacks.
flaws() {
  local segments dynamic symbols
  segments=$(readelf -hlW "$1") dynamic=$(readelf -dW "$1") symbols=$(readelf --dyn-syms -W "$1")
  grep -q GNU_RELRO <<<"$segments" || echo "no RELRO"
  grep -qE 'BIND_NOW|FLAGS_1.*\bNOW\b' <<<"$dynamic" || echo "no BIND_NOW: RELRO is not full"
  grep -qE 'GNU_STACK .* RW +0x' <<<"$segments" || echo "an executable stack"
  grep -q __stack_chk_fail <<<"$symbols" || echo "no stack protector"
  grep -qE '__[a-z_]+_chk\b' <<<"$symbols" || echo "no _FORTIFY_SOURCE"
  grep -qE 'Type: +DYN' <<<"$segments" || echo "no PIE"
}

# try FLAW OPTION...: a program that was built without something is refused for that.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
try() {
  local flaw=$1
  shift
  ${CXX:-g++} -O2 -fPIE -pie -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -Wl,-z,relro,-z,now,-z,noexecstack \
    "$@" "$work/trial.cc" -o "$work/trial"
  [ "$(flaws "$work/trial")" = "$flaw" ] || { echo "error: this check says \"$(flaws "$work/trial")\" of $*"; exit 1; }
}
cat >"$work/trial.cc" <<'END'
#include <cstdio>
#include <cstring>
int main(int, char** v) {
  char text[64];
  std::strcpy(text, v[0]);
  return std::printf("%s", text) < 0;
}
END
try ''
try 'no RELRO' -Wl,-z,norelro
try 'no BIND_NOW: RELRO is not full' -Wl,-z,lazy
try 'an executable stack' -Wl,-z,execstack
try 'no stack protector' -fno-stack-protector
try 'no _FORTIFY_SOURCE' -U_FORTIFY_SOURCE
try 'no PIE' -fno-pie -no-pie

bad=0
for file in bin/train bin/eval bin/bench framework/deploy/liboctet.so; do
  [ -e "$build/$file" ] || { echo "error: no $build/$file: build it first"; exit 1; }
  while read -r flaw; do
    echo "error: $file: $flaw"
    bad=1
  done < <(flaws "$build/$file")
done

mapfile -t kernels < <(find "$build/framework/CMakeFiles" -path '*octet_kernels_*' -name '*.o')
[ ${#kernels[@]} -gt 0 ] || { echo "error: no kernel objects in $build: build it first"; exit 1; }
if nm -A --undefined-only "${kernels[@]}" | grep -E ' U __(stack_chk_fail|[a-z_]+_chk)$'; then
  echo "error: kernels are built without guards (OCTET_KERNELS)"
  bad=1
fi
exit $bad
