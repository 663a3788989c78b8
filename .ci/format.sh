#!/bin/sh
# format.sh: every C++ file is laid out as .clang-format says. Repair: .ci/format.sh -i
set -eu
cd "$(dirname "$0")/.."
case ${1-} in
  -i) set -- -i ;;
  *) set -- --dry-run -Werror ;;
esac
.ci/sources.sh | xargs clang-format-14 "$@"
