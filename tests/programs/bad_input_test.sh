# Wrong flags, variables and files: one clear line on stderr, the right exit code, at once.
. "$(dirname "$0")/common.sh"

url=moqt://127.0.0.1:9

# refuses <exit code> <message> <program> [flag...]
refuses() {
    local code=$1 pattern=$2
    shift 2
    start it "$@"
    finished it "$code" 5
    said_once it "$pattern"
    [ ! -s it.out ] || fail "$* wrote to stdout"
}

say "flags that are wrong: exit code 2"
for program in publish watch; do
    refuses 2 "^moqlite-$program: URL is required" $program
    refuses 2 'TRACK is required' $program $url b
    refuses 2 'not expected: four' $program $url b t four
    refuses 2 'not expected: --bogus' $program --bogus $url b t
    refuses 2 "http://host/.* not a URL of the form moqt://" $program http://host/ b t
    refuses 2 'has no host' $program https:///path b t
    refuses 2 'has no host' $program moqt:///path b t
    refuses 2 'port is not a number' $program moqt://host:port b t
    refuses 2 'bracket is not closed' $program 'moqt://[::1' b t
    refuses 2 'more than 32 segments' $program $url "$(printf 'a/%.0s' {1..33})" t
    refuses 2 'the name of the broadcast, with the path of the URL, is longer than 4096 bytes' $program $url/root "$(printf 'x%.0s' {1..4092})" t
    refuses 2 'the name of the track is longer than 4096 bytes' $program $url b "$(printf 'x%.0s' {1..4097})"
    refuses 2 'names of broadcast and track must be UTF-8' $program $url $'\xff' t
    refuses 2 "'12' is not a fingerprint" $program --fingerprint 12 $url b t
    refuses 2 'fingerprint excludes --tls-insecure' $program --fingerprint 12 --tls-insecure $url b t
    refuses 2 "protocol 'moq-lite-99' is not supported; supported are moq-lite-06" $program --protocol moq-lite-99 $url b t
    refuses 2 'loud not in' $program --log-level loud $url b t
done
refuses 2 "'33M' is not between 1 and 33554432 bytes" publish --frame-size 33M $url b t
refuses 2 "'0' is not between" publish --frame-size 0 $url b t
refuses 2 "'1.3' is not a size" publish --frame-size 1.3 $url b t
refuses 2 "'0' is not a number from 1" publish --group-frames 0 $url b t
refuses 2 "'-1' is not a number from 0" publish --rate -1 $url b t
refuses 2 "'nan' is not a number from 0" publish --rate nan $url b t
refuses 2 "'12Q' is not a size: bytes, with K, M or G" watch --read-ahead 12Q $url b t
refuses 2 "'-1' is not a number from 0" watch --from -1 $url b t
refuses 2 "'soon' is not a number from 0" watch --timeout soon $url b t
refuses 2 '--listen is required' relay
refuses 2 '--tls-generate NAME, or --cert and --key' relay --listen 127.0.0.1:0
refuses 2 '--cert requires --key' relay --listen 127.0.0.1:0 --cert x
refuses 2 '--tls-generate excludes --key' relay --listen 127.0.0.1:0 --tls-generate a --key x
refuses 2 "protocol 'moq-lite-99' is not supported" relay --listen 127.0.0.1:0 --tls-generate a --protocols moq-lite-05,moq-lite-99
refuses 2 '--drain-uri requires --drain' relay --listen 127.0.0.1:0 --tls-generate a --drain-uri moqt://b
refuses 2 "--drain-uri: 'b' is not a URL" relay --listen 127.0.0.1:0 --tls-generate a --drain 1 --drain-uri b
refuses 2 'port is not a number' relay --listen 127.0.0.1:http --tls-generate a

say "variables and configuration files that are wrong: exit code 2"
MOQLITE_READ_AHEAD=much refuses 2 "'much' is not a size" watch $url b t
MOQLITE_QUIET=perhaps refuses 2 'quiet' watch $url b t
echo 'read-ahed = "1M"' >typo
refuses 2 'unknown key: read-ahed' watch --config typo $url b t
MOQLITE_CONFIG=typo refuses 2 'unknown key: read-ahed' watch $url b t
printf '[watch]\nread-ahead = "1M"\n' >section
refuses 2 'unknown section: watch' watch --config section $url b t
echo 'read-ahead = "1X"' >value
refuses 2 "'1X' is not a size" watch --config value $url b t
refuses 2 'nowhere was not readable' watch --config nowhere $url b t
head -c 1000 /dev/urandom >noise
start it watch --config noise $url b t
finished it 2 5

say "a flag wins over a variable, a variable over the file"
printf 'url = "%s"\nbroadcast = "b"\ntrack = "t"\noutput = "/no/file"\nquiet = true\n' $url >all
refuses 1 'cannot open /no/file' watch --config all
MOQLITE_OUTPUT=/no/variable refuses 1 'cannot open /no/variable' watch --config all
MOQLITE_OUTPUT=/no/variable refuses 1 'cannot open /no/flag' watch --config all --output /no/flag

say "files and addresses that cannot be used: exit code 1"
refuses 1 'cannot open nowhere: No such file' publish --input nowhere $url b t
refuses 1 'Is a directory' publish --input . $url b t
refuses 1 'Is a directory' watch --output . $url b t
refuses 1 'nowhere' publish --ca nowhere $url b t
refuses 1 'typo' publish --ca typo $url b t
refuses 1 'cannot read nowhere' relay --listen 127.0.0.1:0 --cert nowhere --key nowhere
refuses 1 'certificate' relay --listen 127.0.0.1:0 --cert typo --key typo
refuses 1 'no certificate can be made for "a b"' relay --listen 127.0.0.1:0 --tls-generate 'a b'
refuses 1 'cannot listen on 192.0.2.1:0' relay --listen 192.0.2.1:0 --tls-generate a
refuses 1 'cannot resolve nowhere.invalid' relay --listen nowhere.invalid:0 --tls-generate a
refuses 1 'cannot resolve nowhere.invalid' watch moqt://nowhere.invalid b t

"$MOQLITE_BIN/moqlite-watch" $url b t >&- 2>closed.err && fail "a closed stdout is no output"
grep -q 'cannot' closed.err || fail "nothing was said of a closed stdout"

say "a port that is taken"
start_relay relay
refuses 1 "cannot listen on $at: Address already in use" relay --listen "$at" --tls-generate a

say "an untrusted certificate, and a wrong fingerprint"
refuses 1 'cannot connect to .*certificate' watch "moqt://$at" b t
refuses 1 'cannot connect to .*(certificate|fingerprint)' watch --fingerprint "${print//[0-9]/0}" "moqt://$at" b t

say "a port that is closed: the cause, at once"
start watch watch --quiet "moqt://127.0.0.1:9" b t
start publish publish --quiet "moqt://127.0.0.1:9" b t
finished watch 1 3
finished publish 1 3
said_once watch 'cannot connect to moqt://127.0.0.1:9: .*Connection refused'
said_once publish 'cannot connect to moqt://127.0.0.1:9: .*Connection refused'

say "no answer for 10 s: a hint"
kill -STOP "${pid_of[relay]}"
start watch watch --quiet "moqt://$at" b t
finished watch 1 13
said_once watch "cannot connect to moqt://$at: no answer .*: is a relay listening on UDP port ${at##*:}, and does a firewall let it through"
kill -CONT "${pid_of[relay]}"

say "no version in common, by WebTransport"
start watch watch --quiet --protocol moq-lite-07-wip --fingerprint "$print" "https://$at" b t
finished watch 1 5
said_once watch 'cannot connect to .*common protocol: moq-lite-07-wip was offered'

say "a full disk, a closed pipe, a broadcast that is not announced"
start_publish publish b --wait-subscriber --input noise
start_watch watch b --from 0 --quiet --output /dev/full
finished watch 1
said_once watch 'cannot write to /dev/full: No space left on device'
finished publish 0
mkfifo pipe
start_publish publish c --wait-subscriber --input /dev/zero
start_watch watch c --from 0 --quiet --output pipe
head -c 100000 pipe | cmp -s -n 100000 - /dev/zero || fail "the first bytes are wrong"
finished watch 1
said_once watch 'cannot write to pipe: Broken pipe; (no group is complete|the last complete group is [0-9]+)'
kill "${pid_of[publish]}"
finished publish 143
start_watch watch nothing --quiet --timeout 0.3
finished watch 1
said_once watch 'nothing was not announced within 0.3 s'
