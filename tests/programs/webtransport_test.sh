# publish and watch by WebTransport, beside those by QUIC, on one port of the relay.
. "$(dirname "$0")/common.sh"

random_file file 4M

# carried <name> <publisher's scheme> <watcher's scheme> [flag...]: a file arrives, byte for byte.
carried() {
    local name=$1 up=$2 down=$3
    shift 3
    scheme=$down start_watch watch "$name" --from 0 --output out "$@"
    scheme=$up start_publish publish "$name" --wait-subscriber --input file "$@"
    finished publish 0
    finished watch 0
    same file out
}

start_relay relay --protocols moq-lite-06,moq-lite-05,moq-lite-04,moq-lite-03,moq-lite-07-wip,h3
for version in 03 04 05 06 07-wip; do
    say "moq-lite-$version"
    carried "both-$version" https https --protocol "moq-lite-$version"
    said watch "connected to .*, moq-lite-$version\$"
    carried "up-$version" https moqt --protocol "moq-lite-$version"
    carried "down-$version" moqt https --protocol "moq-lite-$version"
done

say "the client's favourite of those that both know is spoken"
scheme=https start_watch watch none --protocol moq-lite-03,moq-lite-05 --timeout 0.2
finished watch 1
said watch 'connected to .*, moq-lite-03$'

say "a path is the session's root on every version, and its query is not"
root=/tenant/one?token=x carried named https https --protocol moq-lite-03
said relay 'admitted to /tenant/one$'
said relay 'announces tenant/one/named$'

say "rejected clients get the reason"
start_relay old --protocols moq-lite-03,h3
scheme=https start_watch watch none --protocol moq-lite-06
finished watch 1
said watch 'refused|400'
said old 'no common protocol: the client offers moq-lite-06'
start_relay native --protocols moq-lite-05
scheme=https start_watch watch none
finished watch 1
said watch 'no common ALPN'

say "when the relay is stopped, its clients get the close"
start_relay stopped
scheme=https start_watch watch none
until_true 10 has_said stopped 'by WebTransport' || fail "nobody came"
kill -TERM "${pid_of[stopped]}"
finished watch 1 5
said watch 'the relay is shutting down'
finished stopped 0
