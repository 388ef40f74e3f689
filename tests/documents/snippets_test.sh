#!/usr/bin/env bash
# snippets_test.sh <compiler> [include directory...]: every piece of C++ in README.md and in the guide compiles. Without the directories of
# the adapters, what includes them is left out.
set -euo pipefail
cd "$MOQLITE_SOURCE"
compiler=$1
shift
options=(-std=c++20 -fsyntax-only -Wall -Wextra -Wno-unused -Wno-unused-parameter -Wunused-result -Werror)
adapters=no
for directory in "$@"; do
    [ "$directory" = /usr/include ] || options+=(-isystem "$directory") # The compiler's own, in an order of its own.
    [[ $directory != */asio/include ]] || adapters=yes
done
options+=(-Iinclude)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
extract() { awk -v out="$work" -f tests/documents/snippets.awk "$@"; }

compile() {
    if [ $adapters = no ] && grep -qE '^#include <(moqlite/(asio|link|ngtcp2|nghttp3)|boost)/' "$1"; then
        echo "left out, it needs the adapters: ${1##*/}"
        return
    fi
    "$compiler" "${options[@]}" "$1"
}

# Wrong code is refused, where it stands in its document.
printf '<!-- cpp\nvoid f(int n) {\n...\n}\n-->\nText.\n```cpp\n#include <cstddef>\nnobody(n);\n```\n' >"$work/wrong.md"
! compile "$(extract "$work/wrong.md")" 2>"$work/log" && grep -q 'wrong.md:9:.*nobody' "$work/log" || { cat "$work/log"; echo "FAILED: wrong code is accepted"; exit 1; }

documents=(README.md include/moqlite/guide/*.md)
extract "${documents[@]}" >"$work/snippets"
failed=0
while read -r snippet; do compile "$snippet" || { echo "FAILED: ${snippet##*/}"; failed=1; }; done <"$work/snippets"
echo "$(wc -l <"$work/snippets") snippets of ${#documents[@]} documents"
exit $failed
