# Where things are and whom to trust: listeners, URLs, certificates, and the names below a path.
. "$(dirname "$0")/common.sh"

random_file file 100K

# passes: data published under one name is received under another. Each argument is a list of flags, URL and name.
passes() {
    local -a from to
    read -ra from <<<"$1"
    read -ra to <<<"$2"
    start publish publish --wait-subscriber --input file "${from[@]}" data
    start watch watch --from 0 "${to[@]}" data
    finished publish 0
    finished watch 0
    same file watch.out
}

say "the line that a relay prints, for IPv4, IPv6 and every address"
start relay relay --listen 127.0.0.1:0 --listen '[::1]:0' --listen :0 --tls-generate ::1
until_true 10 test -s relay.out || fail "the relay is not ready"
line='protocols moq-lite-06,moq-lite-05,moq-lite-04,moq-lite-03,h3 sha256 [0-9a-f]{64}'
[ "$(wc -l <relay.out)" = 3 ] || fail "not one line a listener"
for host in '127\.0\.0\.1' '\[::1\]' '\[::\]'; do
    [ "$(grep -cE "^listening $host:[1-9][0-9]* $line\$" relay.out)" = 1 ] || fail "no line for $host"
done
port() { sed -nE "s/^listening $1:([0-9]+) .*/\1/p" relay.out; }
print=$(awk '{print $6; exit}' relay.out)
v4=127.0.0.1:$(port '127\.0\.0\.1') v6=[::1]:$(port '\[::1\]') any=$(port '\[::\]')

say "listeners are one relay: in by IPv6, out by IPv4, by name and by either address of a socket for both"
pin="--fingerprint $print"
passes "$pin moqt://$v6 a" "$pin moqt://$v4 a"
passes "$pin moqt://127.0.0.1:$any b" "$pin moqt://[::1]:$any b"
passes "$pin moqt://localhost:$any c" "$pin moqt://$v6 c"

say "an IPv6 wildcard leaves IPv4 to an IPv4 listener of its port, in whatever order; alone it takes both"
start_relay free --listen :0
port=${at##*:}
kill "${pid_of[free]}"
finished free 0
for listen in "0.0.0.0:$port,[::]:$port" "[::]:$port,0.0.0.0:$port" ":$port,0.0.0.0:$port" "127.0.0.1:$port,[::]:$port" "[::]:$port"; do
    start_relay pair --listen "$listen"
    [ "$(wc -l <pair.out)" = "$(tr , '\n' <<<"$listen" | wc -l)" ] || fail "not one line a listener: $listen"
    passes "--fingerprint $print moqt://[::1]:$port pair" "--fingerprint $print moqt://127.0.0.1:$port pair"
    kill "${pid_of[pair]}"
    finished pair 0
done

say "a name that is listened on is all its addresses, on one port"
printf '127.0.0.1 both\n::1 both\n192.0.2.1 both\n' >hosts
if unshare -m mount --bind hosts /etc/hosts 2>/dev/null; then
    : >both.out
    unshare -m bash -c 'mount --bind hosts /etc/hosts; exec "$@"' - \
        "$MOQLITE_BIN/moqlite-relay" --listen both:0 --tls-generate both >both.out 2>both.err 3>&- &
    pid_of[both]=$!
    until_true 10 test -s both.out || fail "the relay is not ready"
    [ "$(awk '{sub(/.*:/, "", $2); print $2}' both.out | sort -u | wc -l)" = 1 ] || fail "one name has two ports"
    port=$(sed -nE 's/^listening 127\.0\.0\.1:([0-9]+) .*/\1/p' both.out)
    print=$(awk '{print $6; exit}' both.out)
    passes "--fingerprint $print moqt://[::1]:$port all" "--fingerprint $print moqt://127.0.0.1:$port all"
else
    say "(left out: names cannot be given addresses here)"
fi
print=$(awk '{print $6; exit}' relay.out)

say "a fingerprint of either case, with and without colons; none at all only by name"
upper=${print^^}
colons=$(sed 's/../&:/g; s/:$//' <<<"$print")
passes "--fingerprint $upper moqt://$v4 d" "--fingerprint $colons moqt://$v4 d"
passes "--fingerprint ${colons^^} moqt://$v4 e" "--tls-insecure moqt://$v4 e"

say "names are relative to the path of the URL; slashes at the ends and a query mean nothing to them"
passes "$pin moqt://$v4/live film" "$pin moqt://$v4 live/film"
passes "$pin moqt://$v4/ live/two" "$pin moqt://$v4/live/?token=x%20y two"
passes "$pin moqt://$v4?token=x four" "$pin moqt://$v4 four"
said relay 'admitted to /live$'

say "a certificate file, and an authority that vouches for it"
if command -v openssl >/dev/null; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 5 -subj /CN=test \
        -addext 'subjectAltName=DNS:localhost' 2>/dev/null
    start_relay files --cert cert.pem --key key.pem
    expected=$(openssl x509 -in cert.pem -outform DER | sha256sum | cut -d' ' -f1)
    [ "$print" = "$expected" ] || fail "the fingerprint is not that of the certificate"
    passes "--ca cert.pem moqt://localhost:${at##*:} f" "--ca cert.pem moqt://localhost:${at##*:} f"
    start watch watch --ca cert.pem --quiet "moqt://$at" f data
    finished watch 1
    said_once watch 'cannot connect to .*(certificate|name|address)'
    start wrong relay --listen 127.0.0.1:0 --cert cert.pem --key cert.pem
    finished wrong 1
else
    say "(left out: there is no openssl to make one)"
fi

say "variables and a TOML file for all of it"
printf 'listen = ["127.0.0.1:0"]\ntls-generate = "127.0.0.1"\ncache-bytes = "2M"\ncache-age = 5\n' >relay.toml
start configured relay --config relay.toml
until_true 10 test -s configured.out || fail "the relay is not ready"
read -r _ at _ _ _ print <configured.out
printf 'url = "moqt://%s"\nfingerprint = "%s"\nbroadcast = "g"\ntrack = "data"\n' "$at" "$print" >client.toml
MOQLITE_INPUT=file MOQLITE_WAIT_SUBSCRIBER=1 MOQLITE_FRAME_SIZE=1K start publish publish --config client.toml
MOQLITE_CONFIG=client.toml MOQLITE_FROM=0 MOQLITE_STATS=true start watch watch
finished publish 0
finished watch 0
same file watch.out
said watch '"frames":100,'
