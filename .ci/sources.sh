#!/bin/sh
# sources.sh: prints the project's C++ and C files, one a line. The other checks read its list.
set -eu
cd "$(dirname "$0")/.."
for folder in framework models datasets train eval bench examples tests; do
  [ -d "$folder" ] && find "$folder" -name '*.h' -o -name '*.cc' -o -name '*.c' -o -name '*.inc'
done | LC_ALL=C sort
