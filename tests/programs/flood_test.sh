# Strangers at the relay's door: 20 000 datagrams a second from many addresses, a few seconds long, or
# MOQLITE_FLOOD_SECONDS; meanwhile files go through it, slowed down at most four times, and it grows by no
# more than 32 MiB, which it gives back.
seconds=${MOQLITE_FLOOD_SECONDS:-5}
. "$(dirname "$0")/common.sh"
[ -x "$MOQLITE_BIN/moqlite-flood" ] || fail "moqlite-flood is not there"

size=96
random_file file ${size}M
resident() { awk '/^VmRSS/ {print $2}' "/proc/${pid_of[relay]}/status"; }
cpu() { awk '{print $14 + $15}' "/proc/${pid_of[relay]}/stat"; }
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

# flood <name> <datagrams a second> <seconds>: begins it.
flood() {
    : >"$1.out" >"$1.err"
    "$MOQLITE_BIN/moqlite-flood" "$at" "$2" "$3" >"$1.out" 2>"$1.err" 3>&- &
    pid_of[$1]=$!
    until_true 60 grep -q ready "$1.out" || fail "$1 did not begin"
}

say "files while nobody disturbs"
start_relay relay --cache-bytes 16M
transfers quiet 2000
quiet=$rate before=$(resident)

say "the same during 20 000 datagrams a second for $seconds s"
flood strangers 20000 "$((seconds + 3))"
most=0
watch_memory() {
    while kill -0 "${pid_of[strangers]}" 2>/dev/null; do
        resident
        sleep 0.1
    done
}
watch_memory >memory 2>/dev/null &
pid_of[memory]=$!
used=$(cpu)
transfers disturbed $((seconds * 1000))
disturbed=$rate
finished strangers 0 "$((seconds + 30))"
finished memory 0
most=$(sort -n memory | tail -n 1)
echo "  $(tail -n 1 strangers.out); relay at most $most KiB, $((most - before)) more; its processor time $((($(cpu) - used) * 10)) ms"
said relay 'clients must prove their address first'
[ $((disturbed * 4)) -ge "$quiet" ] || fail "$disturbed MiB/s is less than a quarter of $quiet MiB/s"
is_sanitized || [ $((most - before)) -lt $((32 * 1024)) ] || fail "the relay has grown by $((most - before)) KiB"

say "at full speed it survives, within its memory"
flood full 0 2
finished full 0 30
echo "  $(tail -n 1 full.out); relay $(resident) KiB"
is_sanitized || [ $(($(resident) - before)) -lt $((32 * 1024)) ] || fail "the relay has grown by $(($(resident) - before)) KiB"
transfer after

say "when the handshakes that came to nothing are over, their memory is free again"
fallen() { [ $(($(resident) - before)) -lt $((4 * 1024)) ]; }
is_sanitized || until_true 15 fallen || fail "the relay keeps $(($(resident) - before)) KiB"
echo "  relay $(resident) KiB, $(($(resident) - before)) more than before"
