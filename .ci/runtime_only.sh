#!/bin/bash
# runtime_only.sh PROGRAM...: a deployed program needs the C and C++ libraries, nothing else: no OpenMP, OpenBLAS, yaml-cpp,
# zlib, protobuf. The check is tried first on what it must refuse.
set -euo pipefail

# foreign: of the shared libraries that `readelf -d` on standard input names, those that are none of ours to need. Under
# sanitizers their libraries come on top.
foreign() {
  sed -nE 's/.*\(NEEDED\).*\[(.*)\].*/\1/p' |
    grep -vE '^(libc|libm|libstdc\+\+|libgcc_s|ld-linux-.*|libasan|libubsan|libtsan|libpthread)\.so' || true
}

[ "$(echo ' 0x01 (NEEDED) Shared library: [libyaml-cpp.so.0.7]' | foreign)" = libyaml-cpp.so.0.7 ]
[ "$(echo ' 0x01 (NEEDED) Shared library: [libz.so.1]' | foreign)" = libz.so.1 ]
[ "$(echo ' 0x01 (NEEDED) Shared library: [libgomp.so.1]' | foreign)" = libgomp.so.1 ]
[ $# -gt 0 ] || { echo "usage: runtime_only.sh PROGRAM..." >&2; exit 2; }

for program; do
  needed=$(readelf -d "$program")
  grep -q '(NEEDED).*\[libc\.so' <<<"$needed" || { echo "error: readelf shows no libc in $program"; exit 1; }
  found=$(foreign <<<"$needed")
  [ -z "$found" ] || { echo "error: $program needs more than the runtime may:" $found; exit 1; }
done
