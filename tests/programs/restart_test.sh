# A relay that is killed and started again: its clients learn it at once, not by their idle timeout.
. "$(dirname "$0")/common.sh"
command -v openssl >/dev/null || { echo "openssl is not there to make a certificate"; exit 77; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null

say "a sending client is reset at once, an idle one at its keep-alive"
start_relay relay # Finds a free port. One that is not said by name has another key each time.
kill "${pid_of[relay]}"
finished relay 0
start_relay relay --listen "$at" --cert cert.pem --key key.pem
start_publish publish film --wait-subscriber --input /dev/zero --rate 100 --idle-timeout 60
start_watch watch film --idle-timeout 60
until_true 10 test -s watch.out || fail "nothing flows"
kill -9 "${pid_of[relay]}"
finished relay 137
start_relay relay --listen "$at" --cert cert.pem --key key.pem
finished publish 1 3
finished watch 1 4
for n in publish watch; do said $n 'the peer has lost the state of this connection \(stateless reset\)'; done
kill "${pid_of[relay]}"
finished relay 0

say "--retry asks every client for its address, and serves it"
random_file file 1M
start_relay strict --cert cert.pem --key key.pem --retry
start_publish publish film --wait-subscriber --input file
start_watch watch film --from 0
finished publish 0
finished watch 0
same file watch.out
