# The examples of the application API, each as its source says, by native QUIC and WebTransport, and through moqlite-relay.
. "$(dirname "$0")/common.sh"
[ -x "$MOQLITE_BIN/moqlite-clock" ] || { echo "skipped: no examples in this tree (sanitizers)"; exit 77; }

# lines <name> <least>: so many lines of output.
lines() { [ "$(wc -l <"$1.out")" -ge "$2" ]; }
has() { grep -qE -- "$2" "$1.out"; }
# serve <name> <program> [argument...]: sets $at and MOQLITE_TRUST.
serve() {
    start "$@"
    until_true 10 has "$1" ^MOQLITE_TRUST= || fail "$1 does not listen"
    at=$(sed -n 's/^listening on //p' "$1.out")
    MOQLITE_TRUST=$(sed -n 's/^MOQLITE_TRUST=//p' "$1.out")
    export MOQLITE_TRUST
}
ends() {
    kill "${pid_of[$1]}"
    finished "$1" 0
}

say "a loop of one's own, without an adapter: every line goes through its relay, in order; none is a track that ends"
seq 1000 >numbers
input=numbers start loop manual_loop
finished loop 0
same numbers loop.out
start loop manual_loop
finished loop 0
[ ! -s loop.out ] || fail "nothing became something"

for scheme in moqt https; do
    say "$scheme: a clock in a server's process is watched"
    serve clock clock serve 127.0.0.1:0
    start watch clock watch "$scheme://$at"
    until_true 10 lines watch 2 || fail "no two ticks"
    has watch '^[0-9][0-9]:[0-9][0-9]:[0-9][0-9]$' || fail "not the time"

    say "$scheme: redirect reads it, and announcements shows it"
    start redirect redirect "$scheme://$at"
    start list announcements "$scheme://$at"
    until_true 10 has list '^\+clock' || fail "the clock is not announced"
    until_true 10 lines redirect 1 || fail "redirect reads nothing"
    start probe probe "$scheme://$at" 1000000
    until_true 10 has probe 'round trip [1-9][0-9]* ms, ours [0-9.]+ ms$' || fail "no report of the path"
    ends probe
    start fetch fetch "$scheme://$at" clock seconds 0
    finished fetch 0
    lines fetch 1 || fail "group 0 is empty"
    start fetch fetch "$scheme://$at" clock seconds 123456
    finished fetch 1
    said fetch 'not_found|unroutable'
    for each in watch redirect list clock; do ends "$each"; done

    say "$scheme: a clock is published through moqlite-relay"
    start_relay relay --listen 127.0.0.1:0
    export MOQLITE_TRUST=$print
    start clock clock publish "$scheme://$at/demo"
    start watch clock watch "$scheme://$at/demo"
    until_true 10 lines watch 2 || fail "no two ticks through the relay"

    say "$scheme: two people chat through it"
    mkfifo ann_says bob_says
    exec 4<>ann_says 5<>bob_says
    input=ann_says start ann chat "$scheme://$at/demo" ann
    input=bob_says start bob chat "$scheme://$at/demo" bob
    echo "hello" >&4
    until_true 10 has bob '^ann: hello$' || fail "bob hears nothing"
    echo "hello, ann" >&5
    until_true 10 has ann '^bob: hello, ann$' || fail "ann hears nothing"
    exec 4>&- 5>&-
    ends bob
    until_true 2 has ann '^room/bob has left$' || fail "ann does not know that bob has left"
    for each in ann watch clock relay; do ends "$each"; done
    rm ann_says bob_says

    say "$scheme: two peers call each other"
    start ann call 127.0.0.1:0 ann
    until_true 10 has ann '^call me at ' || fail "ann does not listen"
    at=$(sed -n 's/^call me at \([^ ]*\) .*/\1/p' ann.out)
    key=$(sed -n 's/^call me at [^ ]* //p' ann.out)
    start bob call 127.0.0.1:0 bob "$scheme://$at" "$key"
    until_true 10 has bob 'says ann$' || fail "bob does not hear ann"
    until_true 10 has ann 'says bob$' || fail "ann does not hear bob"
    ends bob
    ends ann
    start ann call 127.0.0.1:0 ann
    until_true 10 has ann '^call me at ' || fail "ann does not listen"
    start eve call 127.0.0.1:0 eve "$scheme://$(sed -n 's/^call me at \([^ ]*\) .*/\1/p' ann.out)" "$key" # Of the ann who has left.
    finished eve 1
    said eve unauthorized
    ends ann

    say "$scheme: an echo"
    serve echo echo 127.0.0.1:0
    start say echo "$scheme://$at" "is there anybody?"
    finished say 0
    has say '^is there anybody\?$' || fail "no echo"
    ends echo

    say "$scheme: a track is made when somebody asks, with the right token, and the server leaves politely"
    serve cameras on_demand 127.0.0.1:0
    start stranger clock watch "$scheme://$at"
    start watcher watch --fingerprint "$MOQLITE_TRUST" "$scheme://$at?token=s3cret" camera/3 video
    until_true 10 has watcher 'camera/3/video at ' || fail "no camera"
    kill "${pid_of[watcher]}"
    finished watcher 143
    until_true 10 has cameras '^camera/3/video is wanted no more$' || fail "it is still made"
    kill -USR1 "${pid_of[cameras]}"
    finished cameras 0 5
    finished stranger 1
    said stranger unauthorized
done
