# A file goes publish -> relay -> watch on every version, and between them.
. "$(dirname "$0")/common.sh"

random_file file 4M

group_frames='--group-frames 4'
# transfer <broadcast> <publisher's protocol> <watcher's protocol>...
transfer() {
    local name=$1 from=$2 n=0 to
    shift 2
    for to in "$@"; do
        n=$((n + 1))
        start_watch "watch$n" "$name" --protocol "$to" --from 0 --output "out$n"
    done
    start_publish publish "$name" --protocol "$from" --wait-subscriber --input file $group_frames
    finished publish 0
    said publish "connected to .*, $from\$"
    n=0
    for to in "$@"; do
        n=$((n + 1))
        finished "watch$n" 0
        said "watch$n" "connected to .*, $to\$"
        same file "out$n"
    done
}

start_relay relay --protocols moq-lite-05,moq-lite-04,moq-lite-03,moq-lite-06,moq-lite-07-wip
grep -q 'protocols moq-lite-05,moq-lite-04,moq-lite-03,moq-lite-06,moq-lite-07-wip sha256' relay.out || fail "it does not list them"

for version in 03 04 05 06 07-wip; do
    say "moq-lite-$version"
    transfer "one-$version" "moq-lite-$version" "moq-lite-$version"
done
say "in groups so large that the last is one that the reader asked for"
group_frames=
for version in 03 04 05 06 07-wip; do transfer "large-$version" "moq-lite-$version" "moq-lite-$version"; done
group_frames='--group-frames 4'
say "publisher and watchers on three different versions"
transfer mixed-a moq-lite-03 moq-lite-05 moq-lite-06
transfer mixed-b moq-lite-05 moq-lite-03 moq-lite-04
transfer mixed-c moq-lite-06 moq-lite-04 moq-lite-03
transfer mixed-d moq-lite-04 moq-lite-06 moq-lite-05
transfer mixed-e moq-lite-06 moq-lite-07-wip moq-lite-03
transfer mixed-f moq-lite-07-wip moq-lite-06 moq-lite-04

say "the best that both know is taken; work in progress only by name"
start_relay plain
grep -q 'protocols moq-lite-06,moq-lite-05,moq-lite-04,moq-lite-03,h3 sha256' plain.out || fail "it does not list the default"
start_watch watch none --timeout 0.2
finished watch 1
said watch 'connected to .*, moq-lite-06$'
start_watch watch none --protocol moq-lite-03,moq-lite-05 --timeout 0.2
finished watch 1
said watch 'connected to .*, moq-lite-05$'
start_watch watch none --protocol moq-lite-07-wip
finished watch 1
said watch 'no common ALPN'
start_relay old --protocols moq-lite-03
start_watch watch none --protocol moq-lite-06
finished watch 1
said watch 'no common ALPN'
start_watch watch none --timeout 0.2
finished watch 1
said watch 'connected to .*, moq-lite-03$'

say "a path is offered only to versions that can carry it"
root=/tenant start_watch watch none
finished watch 1
said watch 'no common ALPN'
root=/tenant start_watch watch none --protocol moq-lite-04,moq-lite-03
finished watch 2
said watch 'has a path or query, which moq-lite-04,moq-lite-03 cannot carry'
root=/ start_watch watch none --timeout 0.2
finished watch 1
said watch 'connected to .*, moq-lite-03$'
