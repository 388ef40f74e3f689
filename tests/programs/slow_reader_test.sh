# A reader that takes nothing for a while holds up the publisher, not the programs; nothing is lost and nothing grows.
. "$(dirname "$0")/common.sh"

total=67108864
head -c $total /dev/urandom >file
start_relay relay --cache-bytes 2M
mkfifo slow
start_watch watch film --from 0 --read-ahead 1M --output slow
start_publish publish film --wait-subscriber --input file --group-frames 16

say "while the reader is blocked, the publisher reads no further than the read-ahead"
stands_still() {
    local before=${position:-0}
    position=$(read_so_far publish "$PWD/file")
    [ "$position" -gt 0 ] && [ "$position" = "$before" ] && [ $((++still)) -ge 25 ] && return
    [ "$position" = "$before" ] || still=0
    false
}
still=0
until_true 20 stands_still || fail "the publisher is still reading, at $position"
[ "$position" -lt $((8 * 1024 * 1024)) ] || fail "the publisher has read $position bytes for nobody"

say "others go on through the same relay"
head -c 2M file >small
start_publish publish2 other --wait-subscriber --input small
start_watch watch2 other --from 0
finished publish2 0
finished watch2 0
same small watch2.out

say "drained at about 30 MB/s, everything arrives"
drain() {
    local piece=1
    while [ -s piece ] || [ $piece = 1 ]; do
        piece=2
        dd bs=128K count=1 iflag=fullblock status=none >piece
        cat piece
        sleep 0.004
    done
}
drain <slow >out &
pid_of[drain]=$!
until_true 60 has_said publish 'a subscriber received everything' || fail "the publisher did not end"
finished publish 0
finished watch 0
finished drain 0
same file out
is_sanitized || [ "$(peak relay)" -lt 65536 ] || fail "the relay used $(peak relay) KiB"
