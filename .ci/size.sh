#!/bin/sh
# size.sh: small files, one subject. Over 600 lines is a failure, over 400 is listed.
set -eu
cd "$(dirname "$0")/.."
.ci/sources.sh | xargs awk '
  { lines[FILENAME]++ }
  END {
    for (file in lines) {
      if (lines[file] > 600) { print "error: " file ": " lines[file] " lines, 600 is the limit: split it"; bad = 1 }
      else if (lines[file] > 400) print "note: " file ": " lines[file] " lines"
    }
    exit bad
  }'
