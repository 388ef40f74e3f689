#!/usr/bin/env bash
# The example on OpenSSL's own QUIC, as client and server, with the programs that are on ngtcp2: byte for byte.
# shellcheck source=tests/programs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
[ -x "$MOQLITE_BIN/moqlite-openssl_quic" ] || { echo "moqlite-openssl_quic is not built with this TLS library"; exit 77; }
command -v openssl >/dev/null || { echo "openssl is not there to make a certificate"; exit 77; }

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 7 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 2>openssl.out || fail "openssl: $(cat openssl.out)"
cat cert.pem key.pem >both.pem
random_file file 8400001
groups=129 # Of 64 KiB.
print=$(openssl x509 -in cert.pem -outform DER | sha256sum | cut -d' ' -f1)

# example <name> connect|listen <pem> publish|watch <broadcast> <file>: at $at.
example() { start "$1" openssl_quic "$2" "${at%:*}" "${at##*:}" "$3" "$4" "$5" data "$6"; }
# listen <name> <address> publish|watch <broadcast> <file>: on a port that is free. Sets $at.
listen() {
    while true; do
        at=$2:$((20000 + RANDOM % 10000))
        example "$1" listen both.pem "${@:3}"
        until_true 10 listens_or_is_over "$1" || fail "$1 does not listen after 10 s"
        grep -q '^listening' "$1.out" && return
        said "$1" 'cannot bind or connect' # Somebody else has the port.
        finished "$1" 1
    done
}

for version in 05 04 03; do
    say "through a relay on moq-lite-$version, both ways"
    start_relay "relay-$version" --cert cert.pem --key key.pem --protocols "moq-lite-$version"
    start_watch watch film --from 0 --output out --stats
    example publish connect cert.pem publish film file
    finished publish 0
    finished watch 0
    same file out
    said watch "^\{\"groups\":$groups,\"frames\":$groups,\"bytes\":8400001,\"lost\":0,"

    example watch connect cert.pem watch copy out
    start_publish publish copy --wait-subscriber --input file --group-frames 4
    finished publish 0
    finished watch 0
    same file out
done

say "a group that is larger than the windows of a stream and of the connection"
example watch connect cert.pem watch large out
start_publish publish large --wait-subscriber --input file --group-frames 100000000
finished publish 0
finished watch 0
same file out

say "a watcher that leaves in the middle: the relay stops its groups, and the next watcher gets all of them"
random_file large 24M
mkfifo unread # Who writes into it does not get far.
exec 4<>unread
start_relay small --cert cert.pem --key key.pem --cache-bytes 1M
start_watch leaver stopped --from 0 --output unread
example publish connect cert.pem publish stopped large
timeout 10 head -c 1 <&4 >/dev/null || fail "nothing arrives"
kill "${pid_of[leaver]}"
finished leaver 143
is_over publish && fail "the publisher has ended with its first subscriber"
start_watch watch stopped --from 0 --output out
finished publish 0 60
finished watch 0
same large out

say "from the example to the example, through a relay: an empty file, and one of a byte"
for size in 0 1; do
    random_file "small-$size" $size
    example watch connect - watch "small-$size" out
    example publish connect - publish "small-$size" "small-$size"
    finished publish 0
    finished watch 0
    same "small-$size" out
done

say "a server that publishes, on IPv6, to two watchers; one that leaves early disturbs neither"
listen server ::1 publish film large
at="[${at%:*}]:${at##*:}"
start_watch leaver film --from 0 --output unread
start_watch first film --from 0 --output out-first
start_watch second film --from 0 --output out-second
for n in first second; do until_true 10 test -s out-$n || fail "nothing arrives"; done
kill "${pid_of[leaver]}"
finished leaver 143
for n in first second; do finished $n 0 60; done
same large out-first
same large out-second
[ "$(grep -cE '^moqlite-openssl_quic: a client: session closed: (cancel|no_error) (done|interrupted)$' server.err)" = "$(wc -l <server.err)" ] ||
    fail "the server said more than that its clients left"
is_over server && fail "the server has ended"
kill "${pid_of[server]}"
finished server 143

say "a server that collects, from a publisher that connects to it"
listen server 127.0.0.1 watch film out
start_publish publish film --wait-subscriber --input file --group-frames 4
finished publish 0
finished server 0
same file out

say "a client of the example and a server of it"
listen server 127.0.0.1 watch film out
example publish connect cert.pem publish film file
finished publish 0
finished server 0
same file out

say "errors are one line, within a time limit"
example usage talk cert.pem publish film file
finished usage 2 5
said usage '^usage: '
start_relay other --cert cert.pem --key key.pem --protocols moq-lite-07-wip
example alpn connect cert.pem publish film file
finished alpn 1 5
said_once alpn '^moqlite-openssl_quic: .*'
start_relay stranger
example untrusted connect cert.pem publish film file
finished untrusted 1 5
said_once untrusted 'self.signed certificate|unable to get local issuer certificate'
at=127.0.0.1:9
example nobody connect cert.pem publish film file
finished nobody 1 15
said_once nobody 'cannot connect'
start_relay relay --cert cert.pem --key key.pem
mkfifo slow
start_publish publish cut --wait-subscriber --input slow --group-frames 1
example watch connect cert.pem watch cut out
exec 3>slow
head -c 256K file >&3
until_true 10 test -s out || fail "nothing arrives"
kill -9 "${pid_of[publish]}"
finished watch 1 20
said_once watch '^moqlite-openssl_quic: the track was cut off'
exec 3>&-
