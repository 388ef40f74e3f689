#!/usr/bin/env bash
# doc_test.sh <Doxyfile>: Doxygen accepts the public headers and the guide, and refuses what is wrong in a comment.
set -euo pipefail
doxyfile=$1
command -v doxygen >/dev/null || { echo "skipped: doxygen is not installed (./dev doc installs it)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# run [line of the Doxyfile...]
run() { { cat "$doxyfile" && printf '%s\n' "OUTPUT_DIRECTORY = \"$work\"" "$@"; } | doxygen - 2>&1; }

run || { echo "FAILED: the comments above are wrong"; exit 1; }
[ -s "$work/html/index.html" ] || { echo "FAILED: there are no pages"; exit 1; }

# refused <comment>: of a function f(int a).
refused() {
    printf '// A header.\n#pragma once\n\n/// A function. %s\nvoid f(int a);\n' "$1" >"$work/faulty.hpp"
    ! run "INPUT = \"$work/faulty.hpp\"" "USE_MDFILE_AS_MAINPAGE =" >"$work/log" || { echo "FAILED: accepted: $1"; exit 1; }
    grep -q 'faulty.hpp:[45]:' "$work/log" || { cat "$work/log"; echo "FAILED: refused for another reason: $1"; exit 1; }
}
refused '\param b is not there.'
refused '\nocommand is unknown.'
refused 'As \ref nowhere says.'
refused 'Never call #nowhere.'
refused '<unknown> is no tag.'
echo passed
