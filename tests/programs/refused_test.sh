# A server that resets its request for announcements with a code has refused moqlite-publish's announcement, which
# would never get a subscriber; one that cancels its request (code cancel) has refused nothing.
. "$(dirname "$0")/common.sh"
[ -x "$MOQLITE_BIN/moqlite-refuser" ] || fail "moqlite-refuser is not there"
random_file file 100K

# start_refuser <code>: sets $at and $print as start_relay does.
start_refuser() {
    start refuser refuser "$1"
    until_true 10 listens_or_is_over refuser || fail "not ready after 10 s"
    read -r _ at print <refuser.out
}
has_refused() { [ "$(grep -c '^refused$' refuser.out)" -ge "$1" ]; }

say "an announcement that is refused ends moqlite-publish at once, with the code's name"
start_refuser 11
start_publish publish film --wait-subscriber --input file --quiet
finished publish 1 10
said_once publish 'the relay refused the announcement of film: bounds_exceeded \(11\)'
has_refused 1 || fail "it ended for another reason"
kill "${pid_of[refuser]}"
finished refuser 143

say "a request that is taken back is no refusal: the next one is answered"
start_refuser 0
start_publish publish film --wait-subscriber --input file --quiet
until_true 10 has_refused 2 || fail "the second request was not answered"
is_over publish && fail "it ended"
[ ! -s publish.err ] || fail "it said something"
kill "${pid_of[refuser]}"
finished refuser 143
