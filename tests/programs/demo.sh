# ./dev demo: a relay, a publisher and two watchers over real QUIC on loopback, which checks itself.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

step() { if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }
show() { sed 's/^/    /' "$1"; }
# figure <name> <key>: a number from the output of --stats.
figure() { grep -oE "\"$2\":[0-9.]+" "$1.err" | head -1 | cut -d: -f2; }

step "1. A relay, with a certificate made for this occasion"
echo '   $ moqlite-relay --listen 127.0.0.1:0 --tls-generate localhost'
start_relay relay
show relay.out

step "2. Two watchers wait for a broadcast that is not there yet"
echo "   \$ moqlite-watch --from 0 --output copy1 --fingerprint ${print:0:8}... moqt://$at/demo film data"
root=/demo
for n in 1 2; do start_watch watch$n film --from 0 --output copy$n --stats; done
for n in 1 2; do until_true 10 has_said relay "#$n admitted to /demo" || fail "a watcher did not connect"; done
grep -E 'connected|admitted' relay.err >those && show those

step "3. A file of 64 MiB goes in, and comes out of both"
echo "   \$ moqlite-publish --wait-subscriber --input film --fingerprint ${print:0:8}... moqt://$at/demo film data"
random_file film 64M
start_publish publish film --wait-subscriber --input film
finished publish 0 20
for n in 1 2; do finished watch$n 0 20; done
sha256sum film copy1 copy2 | tee sums | sed 's/^/    /'
[ "$(cut -d' ' -f1 sums | uniq | wc -l)" = 1 ] || fail "the sums differ"
for n in 1 2; do echo "    watcher $n: $(figure watch$n groups) groups, $(figure watch$n frames) frames, none lost"; done

step "4. Live: 100 frames a second for 3 s, and how late each comes"
random_file seconds 1200K
start_watch watch1 live --live --stats --output live1
start_watch watch2 live --live --stats --output live2
for n in 3 4; do until_true 10 has_said relay "#$((n + 1)) admitted" || fail "a watcher did not connect"; done
start_publish publish live --input seconds --frame-size 4K --group-frames 25 --rate 100
finished publish 0 20
for n in 1 2; do
    finished watch$n 0 20
    [ "$(figure watch$n frames)" -gt 250 ] || fail "watcher $n had only $(figure watch$n frames) frames"
    echo "    watcher $n: $(figure watch$n frames) frames, latency p50 $(figure watch$n p50) ms, p99 $(figure watch$n p99) ms"
done

step "5. The relay is told to go"
kill "${pid_of[relay]}"
finished relay 0 5
tail -n 1 relay.err >last && show last
step "All of it is as it should be."
