#!/usr/bin/env bash
# A relay stopped with --drain sends GOAWAY, refuses new sessions, and lets existing ones continue.
# shellcheck source=tests/programs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

say "sessions are asked to leave, and go on until the publisher is done"
start_relay relay --drain 20
mkfifo film
start_watch watch film --output copy
exec 3<>film
input=film start_publish publish film --wait-subscriber --frame-size 1K --group-frames 1
random_file first 64K
random_file second 64K
cat first >&3
until_true 10 test -s copy || fail "nothing arrives"
kill -TERM "${pid_of[relay]}"
until_true 10 has_said watch 'asks its clients to reconnect' || fail "watch was not asked to leave"
until_true 10 has_said publish 'asks its clients to reconnect' || fail "publish was not asked to leave"

say "new connections are refused"
start_watch late film --timeout 5
finished late 1
said_once late 'cannot connect to .*'

cat second >&3
exec 3>&-
finished publish 0
finished watch 0
cat first second >film.whole
same film.whole copy

say "once all have left, it ends before its time"
finished relay 0 5
said relay 'SIGTERM: asking 2 sessions to leave within 20 s'

say "whoever stays is sent away in the end"
start_relay relay --drain 0.5
start_watch watch film
until_true 10 has_said watch 'connected to' || fail "watch is not connected"
kill -TERM "${pid_of[relay]}"
finished watch 1
finished relay 0 6

say "after a second signal it closes the sessions at once; clients get the close, without a timeout"
start_relay relay --drain 20
start_watch watch film --reconnect 0
until_true 10 has_said watch 'connected to' || fail "watch is not connected"
kill -TERM "${pid_of[relay]}"
until_true 10 has_said watch 'asks its clients to reconnect' || fail "watch was not asked to leave"
kill -TERM "${pid_of[relay]}"
finished watch 1 3
said watch '.*the relay is shutting down.*'
finished relay 0 6

say "clients go on at the successor of a relay that drains: back within 2 s of its start, every byte once"
command -v openssl >/dev/null || { say "(left out: there is no openssl to make a certificate for both)"; exit 0; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem 2>/dev/null
now_ms() { date +%s%3N; }
grows_past() { [ "$(size_of "$1")" -gt "$2" ]; }
# succession <name of A> <name of B>: A is stopped; B takes its port when A has ended.
succession() {
    kill -TERM "${pid_of[$1]}"
    finished "$1" 0 8
    start_relay "$2" --listen "$at" --cert cert.pem --key key.pem --drain 1
    began=$(now_ms)
}
for scheme in moqt https; do
    start_relay a --listen 127.0.0.1:0 --cert cert.pem --key key.pem --drain 1
    random_file whole 6M
    rm -f copy1 copy2
    input=whole start_publish publish film --wait-subscriber --rate 60 --frame-size 16K --group-frames 5
    for n in 1 2; do start_watch watch$n film --from 0 --output copy$n; done
    for n in 1 2; do until_true 10 grows_past copy$n 500000 || fail "nothing flows"; done
    succession a b
    for n in 1 2; do
        had=$(size_of copy$n)
        until_true 5 grows_past copy$n "$had" || fail "watch$n gets nothing from the successor"
        took=$(($(now_ms) - began))
        ((took <= 2000)) || fail "watch$n came back after $took ms"
    done
    finished publish 0
    for n in 1 2; do
        finished watch$n 0
        same whole copy$n
    done
    said publish 'reconnecting'

    say "by $scheme, live too: a source with its own pace does not wait"
    rm -f live
    start_publish publish cam --input /dev/zero --rate 100 --frame-size 1K --group-frames 10
    start_watch watch cam --live --output live
    until_true 10 grows_past live 50000 || fail "nothing flows"
    succession b c
    had=$(size_of live)
    until_true 5 grows_past live $((had + 20000)) || fail "nothing flows at the successor"
    took=$(($(now_ms) - began))
    ((took <= 2500)) || fail "live again only after $took ms"
    kill "${pid_of[watch]}" "${pid_of[publish]}"
    finished watch 143
    finished publish 143
    kill "${pid_of[c]}"
    finished c 0 6
done

say "--drain-uri names the relay that takes over"
start_relay b --cert cert.pem --key key.pem
successor=moqt://$at/
start_relay a --cert cert.pem --key key.pem --drain 20 --drain-uri "$successor"
start_watch watch film
until_true 10 has_said watch 'connected to' || fail "watch is not connected"
kill -TERM "${pid_of[a]}"
until_true 10 has_said watch "asks its clients to reconnect \(GOAWAY\), to $successor" || fail "watch was not told where"
finished a 0 5
until_true 10 has_said b 'connected from' || fail "watch has not come"
kill "${pid_of[watch]}"
finished watch 143
kill "${pid_of[b]}"
finished b 0 6

say "--reconnect 0 ends with the session; otherwise reconnecting has a time limit"
start_relay relay --drain 0.5
start_watch stays film --reconnect 0
start_watch old film --reconnect 0 --protocol moq-lite-05
start_watch looks film --reconnect 2
for n in stays old looks; do until_true 10 has_said $n 'connected to' || fail "$n is not connected"; done
kill -TERM "${pid_of[relay]}"
finished stays 1 5
said stays 'closed by the peer with goaway_timeout \(0x10\): the server is shutting down'
finished old 1 5
said old 'closed by the peer with cancel \(0\): the server is shutting down'
finished relay 0 6
finished looks 1 10
said looks 'cannot reconnect within 2 s: '
