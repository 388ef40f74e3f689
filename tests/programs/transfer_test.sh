# A file from a publisher to two watchers, byte for byte; caches and windows are far smaller.
. "$(dirname "$0")/common.sh"

random_file file 32M
say "32 MiB to two watchers that read ahead 512 KiB; the relay keeps what the slower one has not read yet"
start_relay relay --cache-bytes 64M
for n in 1 2; do start_watch watch$n film --from 0 --read-ahead 512K --output out$n --stats; done
until_true 10 has_said relay '#2 admitted' || fail "the watchers are not there"
start_publish publish film --wait-subscriber --input file --group-frames 4
finished publish 0 60
for n in 1 2; do
    finished watch$n 0
    same file out$n
    said watch$n '^\{"groups":512,"frames":2048,"bytes":33554432,"lost":0,"latency_ms":\{"p50":[0-9.]+,"p99":[0-9.]+\}\}$'
done

say "32 MiB to one, through a relay that keeps 1 MiB"
start_relay small --cache-bytes 1M
start_watch watch film --from 0 --read-ahead 512K
start_publish publish film --wait-subscriber --input file --group-frames 4
finished publish 0 60
finished watch 0
same file watch.out

say "frames of odd sizes, from one byte to above a packet, an input that no frame divides, and one large group"
random_file odd 3333333
for flags in '--frame-size 777 --group-frames 1' '--frame-size 65537 --group-frames 3' '--frame-size 2M --group-frames 2' '--group-frames 100000000'; do
    # shellcheck disable=SC2086
    start_publish publish odd --wait-subscriber --input odd $flags
    start_watch watch odd --from 0
    finished publish 0
    finished watch 0
    same odd watch.out
done
head -c 2000 odd >bytes
start_publish publish bytes --wait-subscriber --input bytes --frame-size 1 --group-frames 3
start_watch watch bytes --from 0
finished publish 0
finished watch 0
same bytes watch.out

say "an empty input is a track that ends"
start_publish publish empty --wait-subscriber
start_watch watch empty --from 0 --stats
finished publish 0
finished watch 0
[ ! -s watch.out ] || fail "an empty track has bytes"
said watch '^\{"groups":0,"frames":0,"bytes":0,"lost":0,"latency_ms":\{"p50":null,"p99":null\}\}$'

say "stdin, and stdout into a pipe"
head -c 5M file >five
input=<(cat five) start_publish publish pipe --wait-subscriber
"$MOQLITE_BIN/moqlite-watch" --quiet --from 0 --fingerprint "$print" "moqt://$at" pipe data | cat >piped
finished publish 0
same five piped

say "a late watcher gets the file from the relay's cache, while the broadcast is announced"
mkfifo slow
start_publish publish late --wait-subscriber --input slow --group-frames 1
start_watch first late --from 0 --output first
exec 3>slow
head -c 64K file >&3
until_true 10 test -s first || fail "the first watcher has nothing"
start_watch second late --from 0
until_true 10 has_said second 'subscribed to late data from group 0' || fail "the second watcher is not subscribed"
exec 3>&-
finished publish 0
finished first 0
finished second 0
head -c 64K file >expected
same expected first
same expected second.out

say "a watcher that requests evicted groups begins with the oldest available, reports that, and has lost none"
start_relay tiny --cache-bytes 64K
mkfifo slower
start_publish publish old --wait-subscriber --input slower --group-frames 1
start_watch first old --from 0 --output from-0
exec 3>slower
head -c 512K file >&3
until_true 10 eval '[ "$(size_of from-0)" = 524288 ]' || fail "the first watcher has $(size_of from-0) bytes"
for protocol in moq-lite-03 moq-lite-04 moq-lite-05 moq-lite-06; do
    start_watch "late-$protocol" old --from 0 --stats --protocol "$protocol"
    until_true 10 has_said "late-$protocol" 'subscribed to old data from group' || fail "the watcher is not subscribed"
done
exec 3>&-
finished publish 0
finished first 0
for protocol in moq-lite-03 moq-lite-04 moq-lite-05 moq-lite-06; do
    finished "late-$protocol" 0
    begun=$(sed -nE 's/.*old data begins with group ([0-9]+), the oldest available$/\1/p' "late-$protocol.err")
    [ "${begun:-0}" -gt 0 ] || fail "late-$protocol does not say where it begins"
    [ "$(wc -l <<<"$begun")" = 1 ] || fail "late-$protocol says it more than once"
    said "late-$protocol" '"lost":0,'
    head -c 512K file | tail -c +$((begun * 16384 + 1)) >expected
    same expected "late-$protocol.out"
done
