# Live sources, subscribers that join and leave, input that is read only on demand.
. "$(dirname "$0")/common.sh"

start_relay relay
random_file file 1M

say "a live source without subscribers ends by itself and reports the undelivered groups"
start_publish publish alone --input file
finished publish 0
said publish 'nobody received 1 of 1 groups'
start_publish publish alone --input file --group-frames 4 --quiet
finished publish 0
[ ! -s publish.err ] || fail "--quiet is not quiet"

say "with --wait-subscriber not a byte is read before somebody subscribes, and none after they have left"
mkfifo input
start_publish publish waits --wait-subscriber --input input --frame-size 1K --group-frames 1
until_true 10 has_said relay 'announces waits' || fail "nothing is announced"
exec 3<>input
head -c 4K file >&3
start_watch watch waits --from 0
until_true 10 test -s watch.out || fail "the watcher gets nothing"
got() { [ "$(size_of "$1")" = "$2" ]; }
until_true 10 got watch.out 4096 || fail "the watcher did not get all"
kill "${pid_of[watch]}"
finished watch 143
until_true 10 has_said publish 'a subscriber left' || fail "the publisher was not told"
head -c 8K file | tail -c 4K >&3
start_watch again waits --output again
until_true 10 got again 5120 || fail "the second watcher did not get the last group and what followed"
exec 3>&-
finished publish 0
finished again 0
head -c 8K file | tail -c 5K >expected
same expected again

say "a subscriber without Group End that falls behind by more than --live-backlog loses its oldest groups, never the latest"
random_file long 32M
start_relay brief --live-backlog 256K
start_publish publish quick --wait-subscriber --input long --frame-size 16K --group-frames 8 --rate 250
start_watch behind quick --live --max-age 60000 --stats
until_true 10 test -s behind.out || fail "the watcher gets nothing"
kill -STOP "${pid_of[behind]}"
until_true 10 has_said brief 'missed .* of quick data: lagged' || fail "no group was dropped"
first_lost=$(sed -nE 's/.* the last one ([0-9]+) of quick data: lagged$/\1/p' brief.err | head -n 1)
[ "$first_lost" -lt 96 ] || fail "group $first_lost was the first to be dropped, 128 KiB each: only beyond the default bound"
kill -CONT "${pid_of[behind]}"
finished publish 0
finished behind 0
[[ $(grep -oE '"lost":[0-9]+' behind.err | tail -n 1) != '"lost":0' ]] || fail "the watcher was not told"
tail -c 128K long >expected
tail -c 128K behind.out | cmp -s - expected || fail "the watcher did not get the latest group"

say "a live source at 100 frames a second: a watcher joins at the newest group, in order, and sees the end"
start_publish publish live --input file --frame-size 4K --group-frames 10 --rate 100
start_watch early live --live --stats
until_true 10 has_said publish 'new subscriber' || fail "nobody came"
start_watch late live --stats
finished publish 0
finished early 0
finished late 0
said publish 'published 26 groups, 256 frames, 1.0 MiB'
for n in early late; do
    size=$(size_of $n.out)
    [ "$size" -gt 0 ] || fail "$n has nothing"
    tail -c "$size" file | cmp -s - $n.out || fail "$n has something else than the end of the file"
    said $n '"lost":0,"latency_ms":\{"p50":[0-9.]+,"p99":[0-9.]+\}'
done
