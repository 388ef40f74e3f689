# How programs end: by signals, by the loss of a peer, and their messages.
. "$(dirname "$0")/common.sh"

# flows <name> <bytes>: a program has written that much output.
flows() { [ "$(size_of "$1.out")" -gt "$2" ]; }

# catches_int <name>: a program has its handler of SIGINT, which a shell's background processes ignore until then. The
# shell that becomes it has the handlers of this one for a moment.
catches_int() {
    [[ $(readlink "/proc/${pid_of[$1]}/exe") == */moqlite-* ]] &&
        ((0x$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/${pid_of[$1]}/status") & 2))
}

say "SIGTERM and SIGINT end a client cleanly, with a code that is not 0"
start_relay relay
start_publish publish film --wait-subscriber --input /dev/zero --rate 200
start_watch watch film
until_true 10 flows watch 100000 || fail "nothing flows"
kill -INT "${pid_of[watch]}"
finished watch 130 5
said watch 'error: interrupted; the last complete group is|error: interrupted; no group is complete'
until_true 5 has_said relay 'ended: closed by the peer' || fail "the relay was not told"
kill -TERM "${pid_of[publish]}"
finished publish 143 5
said publish 'error: terminated'
until_true 5 has_said relay 'no longer announces film' || fail "the relay was not told"

say "SIGTERM ends a relay within 5 s, with exit code 0; its clients get the close"
start_publish publish film --wait-subscriber --input /dev/zero --rate 200
start_watch watch film
until_true 10 flows watch 100000 || fail "nothing flows"
kill -TERM "${pid_of[relay]}"
finished relay 0 5
finished publish 1 5
finished watch 1 5
said publish 'closed by the peer with no_error \(0x0\): the relay is shutting down'
said watch 'closed by the peer with no_error \(0x0\): the relay is shutting down; (no group is complete|the last complete group is [0-9]+)'

say "a file that ends with the last group that its subscriber wants ends the publisher; a longer one does not"
start_relay relay
random_file groups 8K
random_file longer 9K
for protocol in moq-lite-03 moq-lite-04 moq-lite-05 moq-lite-06; do
    for file in groups longer; do
        name=$file/$protocol
        start_publish publish $name --wait-subscriber --protocol $protocol --input $file --frame-size 1K --group-frames 4
        until_true 10 has_said relay "announces $name" || fail "nothing is announced"
        "$MOQLITE_BIN/moqlite-asker" $protocol "moqt://$at" $name data take 1 >taken 2>taker.err &
        pid_of[taker]=$!
        until_true 10 grep -q 'took 8192 bytes' taken || fail "the subscriber does not have its two groups"
        if [ $file = groups ]; then
            finished publish 0
            said publish 'a subscriber received everything'
        else
            is_over publish && fail "the publisher ended with a group unsent"
            kill -TERM "${pid_of[publish]}"
            finished publish 143
        fi
        is_over taker && fail "the subscriber left first"
        kill -TERM "${pid_of[taker]}"
        finished taker 143
    done
done
kill -TERM "${pid_of[relay]}"
finished relay 0

say "a relay that ends after the end of a track takes nothing from its subscriber"
for protocol in moq-lite-05 moq-lite-06; do
    start_relay relay
    start_publish publish film --wait-subscriber --input groups --frame-size 1K --group-frames 4
    start_watch watch film --from 0 --protocol $protocol
    finished publish 0
    has_size() { [ "$(size_of "$1")" = "$2" ]; }
    until_true 10 has_size watch.out 8192 || fail "the watcher does not have it all"
    kill -TERM "${pid_of[relay]}"
    finished watch 0
    finished relay 0 5
done

say "kill -9 of the publisher in mid-file: its watchers exit with 1 within 10 s and name the last complete group"
start_relay relay
mkfifo input
start_publish publish film --wait-subscriber --input input --frame-size 1K --group-frames 8
for n in 1 2; do start_watch watch$n film --from 0; done
exec 3>input
for n in 1 2; do until_true 10 has_said watch$n 'subscribed to film data from group 0' || fail "watch$n is not subscribed"; done
random_file part 20K
cat part >&3
for n in 1 2; do until_true 10 flows watch$n 20479 || fail "watch$n did not get what was published"; done
kill -9 "${pid_of[publish]}"
finished publish 137
exec 3>&-
for n in 1 2; do
    finished watch$n 1 10
    said watch$n 'the last complete group is 1$'
    same part watch$n.out
done
said relay 'ended: .*idle'

say "kill -9 of the relay: both sides exit with 1 and say so"
start_publish publish film --wait-subscriber --idle-timeout 2 --input /dev/zero --rate 200
start_watch watch film --idle-timeout 2
until_true 10 flows watch 100000 || fail "nothing flows"
kill -9 "${pid_of[relay]}"
finished relay 137
finished publish 1 10
finished watch 1 10
said publish 'session connection lost'
said watch 'session connection lost.*; (no group is complete|the last complete group is [0-9]+)'

say "a stopped watcher does not affect the others, and is dropped after the idle timeout"
start_relay relay --idle-timeout 2
for n in 1 2 3; do start_watch watch$n film --from 0 --stats --output out$n; done
start_publish publish film --wait-subscriber --input /dev/zero --rate 200 --frame-size 8K --group-frames 20
for n in 1 2 3; do until_true 10 test -s out$n || fail "watch$n has nothing"; done
kill -STOP "${pid_of[watch3]}"
until_true 10 has_said relay 'ended: .*idle' || fail "the relay keeps a client that is silent"
sizes() { [ "$(size_of out1)" -gt "$1" ] && [ "$(size_of out2)" -gt "$1" ]; }
until_true 10 sizes $(($(size_of out1) + 1000000)) || fail "the others get nothing any more"
kill -CONT "${pid_of[watch3]}"
finished watch3 1 15
for n in 1 2; do kill "${pid_of[watch$n]}"; done
for n in 1 2; do
    finished watch$n 143
    said watch$n '"lost":0,'
done

say "a signal before there is an answer"
start_relay deaf
kill -STOP "${pid_of[deaf]}" # A port that is closed would be reported at once.
start early watch "moqt://$at" film data
until_true 5 catches_int early || fail "it does not start"
kill -INT "${pid_of[early]}"
finished early 130 5
said_once early 'interrupted'
kill -KILL "${pid_of[deaf]}"
finished deaf 137

say "a relay without clients ends at once"
start_relay idle
kill -INT "${pid_of[idle]}"
finished idle 0 2
