#!/usr/bin/env bash
# A publisher that is cut off and replaced: its viewers continue with the next one. One that is silent: a timeout.
# shellcheck source=tests/programs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

grows_past() { [ "$(size_of "$1")" -gt "$2" ]; }
# of <byte> <n>: n KiB of it.
of() { head -c "$2K" /dev/zero | tr '\0' "$1"; }

start_relay relay
for mode in --live "--from 0" ""; do
    say "a publisher that is killed and replaced at once (watch ${mode:-without flags})"
    mkfifo source next
    exec 3<>source
    input=source start_publish first film --wait-subscriber --frame-size 1K --group-frames 8
    # shellcheck disable=SC2086
    start_watch watch film $mode --output out
    until_true 10 has_said watch 'subscribed to film data from group' || fail "watch is not subscribed"
    of a 20 >&3
    until_true 10 grows_past out 20479 || fail "the first publisher's bytes do not come"
    kill -9 "${pid_of[first]}"
    finished first 137
    exec 3>&-
    exec 3<>next
    input=next start_publish second film --wait-subscriber --frame-size 1K --group-frames 8
    began=$SECONDS
    until_true 6 has_said watch 'subscribing to the new broadcast of that name' || fail "watch does not follow"
    ((SECONDS - began <= 3)) || fail "watch follows after $((SECONDS - began)) s only"
    of b 30 >&3
    until_true 10 grows_past out $((50 * 1024 - 1)) || fail "the second publisher's bytes do not come"
    exec 3>&-
    finished second 0
    finished watch 0
    { of a 20 && of b 30; } >expected
    same expected out
    rm source next out
done

say "and one that closes cleanly, with a successor within --timeout"
start_publish first film --input /dev/zero --rate 200 --frame-size 1K
start_watch watch film --live --timeout 5 --output out
until_true 10 grows_past out 20000 || fail "nothing flows"
kill -INT "${pid_of[first]}"
finished first 130
sleep 1
start_publish second film --input /dev/zero --rate 200 --frame-size 1K
had=$(size_of out)
until_true 6 grows_past out $((had + 20000)) || fail "watch does not go on"

say "without a successor the cut is the end, after --timeout"
# Those that were killed are announced until the relay misses them, and would be successors.
until_true 10 eval '[ "$(grep -c "ended: connection lost: idle timeout" relay.err)" = 3 ]' || fail "the relay does not miss the killed"
kill -INT "${pid_of[second]}"
finished second 130
finished watch 1 8
said watch 'the subscription ended: '

say "a publisher that answers nothing: exit code 4, by name, after --request-timeout"
start_publish silent film --wait-subscriber --input /dev/zero
until_true 10 has_said silent 'connected to' || fail "not connected"
until_true 10 has_said relay 'announces film' || fail "not announced"
kill -STOP "${pid_of[silent]}"
start_watch watch film --quiet --request-timeout 2
finished watch 4 5
said_once watch 'request timeout: no answer to the subscription to film data within 2 s; no group is complete'
