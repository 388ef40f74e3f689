#!/usr/bin/env bash
# A source that pauses: its data is sent after --max-delay, even if it does not fill a frame.
# shellcheck source=tests/programs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

start_relay relay
mkfifo chat
now_ms() { date +%s%3N; }
has_line() { grep -q "^$1\$" watch.out; }

say "a line of chat arrives at once, though frames hold 16 KiB"
for mode in "" --wait-subscriber; do
    start_watch watch "room$mode"
    until_true 10 has_said watch 'connected to' || fail "watch is not connected"
    exec 3<>chat
    # shellcheck disable=SC2086
    input=chat start_publish publish "room$mode" $mode
    until_true 10 has_said watch 'subscribed to' || fail "watch is not subscribed"
    for n in 1 2 3; do
        from=$(now_ms)
        echo "line $n" >&3
        until_true 5 has_line "line $n" || fail "line $n does not come"
        took=$(($(now_ms) - from))
        ((took < 1500)) || fail "line $n took $took ms"
    done
    kill "${pid_of[publish]}"
    finished publish 143
    exec 3>&-
    finished watch 1
done

say "--max-delay sets the delay; a frame that fills in time is not cut"
start_watch watch film --stats
until_true 10 has_said watch 'connected to' || fail "watch is not connected"
(head -c 700 /dev/zero; sleep 0.3; head -c 324 /dev/zero) >chat &
input=chat start_publish publish film --wait-subscriber --frame-size 1K --max-delay 20
finished publish 0
finished watch 0
said watch '"frames":1,"bytes":1024,'
start_watch watch cut --stats
until_true 10 has_said watch 'connected to' || fail "watch is not connected"
(head -c 700 /dev/zero; sleep 1; head -c 324 /dev/zero) >chat &
input=chat start_publish publish cut --wait-subscriber --frame-size 1K --max-delay 10ms
finished publish 0
finished watch 0
said watch '"frames":2,"bytes":1024,'
