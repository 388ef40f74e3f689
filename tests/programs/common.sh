# Shared by the tests of the programs: start one, wait for it with a time limit, check its output.
# shellcheck shell=bash
set -euo pipefail
: "${MOQLITE_BIN:?is the directory of moqlite-relay, moqlite-publish and moqlite-watch}"
for program in relay publish watch; do
    [ -x "$MOQLITE_BIN/moqlite-$program" ] || { echo "$MOQLITE_BIN/moqlite-$program is not there"; exit 1; }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/moqlite-test.XXXXXX")
declare -A pid_of=()
cd "$work"
# The caller's environment must not change our flags.
while IFS= read -r name; do unset "$name"; done < <(compgen -v MOQLITE_ | grep -v '^MOQLITE_BIN$')

clean_up() {
    local result=$? pid
    trap - EXIT
    exec 2>/dev/null
    for pid in $(jobs -p); do kill -9 "$pid" || true; done
    wait || true
    cd /
    rm -rf "$work"
    exit "$result"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '%s\n' "- $*"; }

# fail <what>: with the output of every program, newest last.
fail() {
    local file
    echo "FAILED: $*"
    for file in "$work"/*.err; do
        [ -s "$file" ] || continue
        echo "--- ${file##*/}"
        tail -n 15 "$file"
    done
    exit 1
}

# until_true <seconds> <command...>: polls; false when the time is over.
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS <= end)) || return 1
        sleep 0.02
    done
}

# start <name> <program> [flag...]: in the background; its output is in NAME.out and NAME.err. Its input is
# $input, or nothing. Descriptor 3 is the test's own.
start() {
    local name=$1 program=$2
    shift 2
    [ -z "${pid_of[$name]:-}" ] || is_over "$name" || fail "$name still runs"
    : >"$name.out" >"$name.err"
    "$MOQLITE_BIN/moqlite-$program" "$@" <"${input:-/dev/null}" >"$name.out" 2>"$name.err" 3>&- &
    pid_of[$name]=$!
}

is_over() { ! kill -0 "${pid_of[$1]}" 2>/dev/null; }

# finished <name> <exit code> [seconds]: waits for it to end, and that is how it must.
finished() {
    local name=$1 expected=$2 code=0
    # The shell's own word on a process that was killed is of no use.
    until_true "${3:-30}" is_over "$name" 2>/dev/null || fail "$name still runs after ${3:-30} s"
    wait "${pid_of[$name]}" 2>/dev/null || code=$?
    unset "pid_of[$name]"
    [ "$code" = "$expected" ] || fail "$name exited with $code, not $expected"
}

# said <name> <extended regular expression>
said() { grep -qE -- "$2" "$1.err" || fail "$1 did not say: $2"; }
has_said() { grep -qE -- "$2" "$1.err"; }
# said_once: that, and nothing else.
said_once() {
    said "$1" "$2"
    [ "$(wc -l <"$1.err")" = 1 ] || fail "$1 said more than one line"
}

# start_relay <name> [flag...]: with a certificate for localhost, on a free port of 127.0.0.1 unless --listen says
# otherwise. Sets $at (HOST:PORT) and $print (its certificate's fingerprint).
start_relay() {
    local name=$1
    shift
    [[ " $* " == *" --listen "* ]] || set -- --listen 127.0.0.1:0 "$@"
    [[ " $* " == *" --cert "* || " $* " == *" --tls-generate "* ]] || set -- --tls-generate localhost "$@"
    start "$name" relay "$@"
    until_true 10 listens_or_is_over "$name" || fail "$name is not ready after 10 s"
    [ -s "$name.out" ] || fail "$name ended"
    read -r _ at _ _ _ print <"$name.out"
}
listens_or_is_over() { grep -q '^listening' "$1.out" || is_over "$1"; }

# start_publish <name> <broadcast> [flag...] and start_watch: track "data", at the relay that was started last, by
# $scheme (moqt).
start_publish() { start "$1" publish --fingerprint "$print" "${@:3}" "${scheme:-moqt}://$at${root:-}" "$2" data; }
start_watch() { start "$1" watch --fingerprint "$print" "${@:3}" "${scheme:-moqt}://$at${root:-}" "$2" data; }

same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }
size_of() { stat -c %s "$1" 2>/dev/null || echo 0; }
random_file() { head -c "$2" /dev/urandom >"$1"; }

# peak <name>: the largest memory that it has used so far, in KiB.
peak() { awk '/^VmHWM/ {print $2}' "/proc/${pid_of[$1]}/status"; }
# Sanitizers keep memory of their own.
is_sanitized() { [[ $(ldd "$MOQLITE_BIN/moqlite-relay") =~ lib(a|t)san ]]; }
# read_so_far <name> <file>: how far it has read a file that it has open.
read_so_far() {
    local fd
    for fd in "/proc/${pid_of[$1]}/fd/"*; do
        [ "$(readlink "$fd")" = "$2" ] || continue
        awk '/^pos/ {print $2}' "/proc/${pid_of[$1]}/fdinfo/${fd##*/}"
        return
    done
    echo 0
}
