# A flood of unvalidated clients: 20 000 datagrams a second from many addresses, for a few seconds, or
# MOQLITE_FLOOD_SECONDS; meanwhile files are transferred, slowed down at most four times, and the relay grows by
# at most 32 MiB, which it frees.
seconds=${MOQLITE_FLOOD_SECONDS:-5}
. "$(dirname "$0")/common.sh"
[ -x "$MOQLITE_BIN/moqlite-flood" ] || fail "moqlite-flood is not there"

size=96 per_second=20000
if is_sanitized; then size=16 per_second=4000; fi # That relay is several times slower.
random_file file ${size}M
resident() { awk '/^VmRSS/ {print $2}' "/proc/${pid_of[relay]}/status"; }
cpu() { awk '{print ($14 + $15) * 10}' "/proc/${pid_of[relay]}/stat"; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# transfer <name>: one file from a publisher to a watcher; sets $took (ms).
transfer() {
    local since
    since=$(milliseconds)
    start_publish publish "$1" --wait-subscriber --input file --frame-size 64K --quiet
    start_watch watch "$1" --from 0 --output out --quiet
    finished watch 0 60
    took=$(($(milliseconds) - since))
    finished publish 0
    same file out
}

# transfers <name> <least ms>: one after the other, for so long; sets $rate (MiB/s).
transfers() {
    local all=0 count=0
    while [ "$all" -lt "$2" ]; do
        transfer "$1$count"
        all=$((all + took)) count=$((count + 1))
    done
    rate=$((count * size * 1000 / all))
    echo "  $1: $count files of $size MiB, $rate MiB/s, relay $(resident) KiB"
}

# flood <name> <datagrams a second>: starts it, and stop_flood ends it; its report is in $report.
flood() {
    : >"$1.out" >"$1.err"
    "$MOQLITE_BIN/moqlite-flood" "$at" "$2" >"$1.out" 2>"$1.err" 3>&- &
    pid_of[$1]=$!
    until_true 60 grep -q ready "$1.out" || fail "$1 did not begin"
}
stop_flood() {
    kill "${pid_of[$1]}"
    finished "$1" 0
    report=$(tail -n 1 "$1.out")
    echo "  $report; relay at most $(peak relay) KiB, processor time $(cpu) ms"
}
must_be_within_its_memory() {
    if is_sanitized; then
        echo "  not looked at: sanitizers keep memory of their own"
    else
        [ $(($(peak relay) - before)) -lt $((32 * 1024)) ] || fail "the relay has grown by $(($(peak relay) - before)) KiB"
    fi
}

say "files without a flood"
start_relay relay --cache-bytes 16M
transfers quiet 2000
quiet=$rate before=$(resident)

say "the same during $per_second datagrams a second for $seconds s"
flood strangers "$per_second"
transfers disturbed $((seconds * 1000))
stop_flood strangers
[[ $report =~ ([0-9]+)\ a\ second ]] && [ "${BASH_REMATCH[1]}" -ge $((per_second * 3 / 4)) ] || fail "those were too few"
said relay 'clients must prove their address first'
[ $((rate * 4)) -ge "$quiet" ] || fail "$rate MiB/s is less than a quarter of $quiet MiB/s"
must_be_within_its_memory

say "as many as possible: the relay survives, within its memory"
flood full 0
sleep 2
stop_flood full
must_be_within_its_memory
transfer after

say "when the incomplete handshakes have timed out, their memory is freed"
fallen() { [ $(($(resident) - before)) -lt $((4 * 1024)) ]; }
if is_sanitized; then
    echo "  not looked at: sanitizers keep memory of their own"
else
    until_true 15 fallen || fail "the relay keeps $(($(resident) - before)) KiB"
    echo "  relay $(resident) KiB, $(($(resident) - before)) more than before"
fi
