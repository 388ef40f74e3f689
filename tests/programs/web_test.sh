# The relay's pages over plain HTTP.
. "$(dirname "$0")/common.sh"
command -v curl >/dev/null || { echo "curl is not there"; exit 77; }

# get <path> [curl option...]: head and body into `answer`, the body alone into `body`.
get() { curl -sg --path-as-is --max-time 10 -D answer -o body "${@:2}" "$web$1" || fail "$1 was not answered"; }
has() { grep -qiE -- "^$1"$'\r'"?\$" answer || { cat answer; fail "the answer has no line: $1"; }; }
status() { [[ $(head -1 answer) == "HTTP/1.1 $1 "* ]] || { cat answer; fail "the status is not $1"; }; }
ready() { grep -q '^web ' "$1.out"; }
start_web() {
    start_relay "$@"
    until_true 5 ready "$1" || fail "there is no line for --web"
    web=http://$(sed -n 's/^web //p' "$1.out")
}

mkdir -p pages/deep
printf '<h1>It works' >pages/index.html
printf 'x = 1' >pages/deep/app.js
printf 'secret' >pages/.hidden
printf 'secret' >beside

say "its ready line is the last one, also on IPv6"
start_web relay --web '[::1]:0' --web-root pages --tls-generate localhost,127.0.0.1
[ "$(sed -n 's/ .*//p' relay.out | tr '\n' ' ')" = "listening web " ] || fail "the ready lines are others"

say "the certificate's hash is 64 digits and nothing else, and may be read from every page"
get /certificate.sha256
status 200
has 'Access-Control-Allow-Origin: \*'
has 'Cache-Control: no-store'
[ "$(cat body)" = "$print" ] && [ "$(size_of body)" = 64 ] || fail "the hash is another one"

say "a new certificate is listed at once, with the previous one"
kill -HUP "${pid_of[relay]}"
until_true 5 has_said relay 'certificate renewed, sha256 [0-9a-f]{64}, valid until 20.*Z' || fail "it is not renewed"
get /certificate.sha256
new=$(cat body)
[ "$new" != "$print" ] || fail "the hash is still the old one"
said relay "sha256 $new"
get /certificates.sha256
printf '%s\n' "$new" "$print" | cmp -s - body || fail "the two hashes are others"

say "/health is JSON with a few figures"
get /health
status 200
has 'Content-Type: application/json'
grep -q '^{"status":"ok","version":.*"sessions":0,.*"requests_refused":0,"requests_overdue":0,.*"listening":\["127.0.0.1:[0-9]*"\]}$' body || fail "$(cat body)"
grep -q '"webtransport":{"sessions":0,"refused_requests":0,"refused_streams":0,' body || fail "$(cat body)"
kill -USR1 "${pid_of[relay]}"
until_true 5 has_said relay '; 0 requests refused, 0 not answered in time; by WebTransport 0 sessions, refused 0 requests, 0 streams' || fail "SIGUSR1 does not show them"

say "files have their types and are asked for again only where they changed"
get /
has 'Content-Type: text/html; charset=utf-8'
has 'Content-Security-Policy: default-src .none.;.*'
[ "$(cat body)" = '<h1>It works' ] || fail "it is another page"
get /deep/app.js
has 'Content-Type: text/javascript; charset=utf-8'
tag=$(sed -n 's/^ETag: \(.*\)\r$/\1/p' answer)
get /deep/app.js -H "If-None-Match: $tag"
status 304
get '/?room=1'
status 200
get / --head
has 'Content-Length: 12'

say "nothing else can be had"
for path in /../beside /deep/../../beside /%2e%2e/beside /.hidden /deep //etc/passwd /etc/passwd /nothing; do
    get "$path"
    status 404
done
for method in POST PUT DELETE OPTIONS; do
    get / -X "$method" -d body
    status 405
    has 'Allow: GET, HEAD'
done
get / -H "X: $(head -c 9000 /dev/zero | tr '\0' x)"
status 431
exec 4<>"/dev/tcp/::1/${web##*:}"
printf 'nonsense\r\n\r\n' >&4
timeout 5 cat <&4 >answer
status 400
exec 4>&-

# Sockets that the relay has open.
connections_of() { find "/proc/${pid_of[relay]}/fd" -lname 'socket:*' 2>/dev/null | wc -l; }

say "a hundred silent or incomplete connections block no other, and no more than 64 stay"
before=$(connections_of)
for n in {10..109}; do eval "exec $n<>/dev/tcp/::1/${web##*:}"; done
for n in {60..80}; do printf 'GET /hea' >&"$n" || true; done 2>/dev/null
curl -sg --max-time 1 -o body "$web/health" || fail "/health was not answered within a second"
(($(connections_of) - before <= 64)) || fail "more than 64 connections are kept"
for n in {10..109}; do eval "exec $n>&-"; done
kill "${pid_of[relay]}"
finished relay 0

if is_sanitized; then
    # UndefinedBehaviorSanitizer looks at an object's type through a pipe, and takes the lack of one for a bad object.
    say "left out: a relay without descriptors, which a sanitizer needs itself"
else
    say "/health is answered within a second by a relay that has no descriptors left, which is told once"
    # Its own, and few more.
    start "few" relay --listen 127.0.0.1:0 --tls-generate localhost --web 127.0.0.1:0 --log-level info
    until_true 10 ready few || fail "it is not ready"
    web=http://$(sed -n 's/^web //p' few.out)
    own=$(find "/proc/${pid_of[few]}/fd" -mindepth 1 | wc -l)
    prlimit --pid "${pid_of[few]}" --nofile="$((own + 5)):$((own + 5))" || fail "prlimit (util-linux) is not there"
    for n in {10..39}; do eval "exec $n<>/dev/tcp/127.0.0.1/${web##*:}"; done
    for _ in 1 2 3; do curl -sg --max-time 1 -o body "$web/health" || fail "/health was not answered within a second"; done
    grep -q '"status":"ok"' body || fail "$(cat body)"
    [ "$(grep -c 'cannot accept a connection: Too many open files; raise the limit' few.err)" = 1 ] || fail "it is not told once"
    for n in {10..39}; do eval "exec $n>&-"; done
    curl -sg --max-time 1 -o body "$web/health" || fail "/health was not answered within a second"
    kill "${pid_of[few]}"
    finished few 0
fi

say "without the page's files the rest works, and one line names what is missing"
start_web relay --web 127.0.0.1:0 --web-root nowhere
get /
status 200
[ "$(wc -l <body)" = 1 ] && grep -q 'demo page was not built' body || fail "$(cat body)"
get /certificate.sha256
[ "$(cat body)" = "$print" ] || fail "the hash is another one"

say "a port in use is reported"
start second relay --listen 127.0.0.1:0 --tls-generate localhost --web "${web#http://}"
finished second 1
said_once second 'cannot listen on TCP port [0-9]+: Address already in use'
kill "${pid_of[relay]}"
finished relay 0

say "--cert and --key are reloaded when both have changed, or on SIGHUP; a pair that does not match changes nothing"
command -v openssl >/dev/null || { echo "openssl is not there to make certificates"; exit 77; }
make() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout "$1.key" -out "$1.pem" 2>/dev/null
    openssl x509 -in "$1.pem" -outform der | sha256sum | cut -d' ' -f1
}
make one >one.sum
make two >two.sum
make three >three.sum
cp one.pem chain.pem
cp one.key key.pem
start_web relay --web 127.0.0.1:0 --cert chain.pem --key key.pem
[ "$print" = "$(cat one.sum)" ] || fail "the certificate is another one"
start_watch watch film
until_true 10 has_said relay 'admitted to /' || fail "the watcher did not connect"
cp two.pem chain.pem
until_true 15 has_said relay 'cannot reload the certificate, keeping the old one: the private key is not' || fail "nothing is said of a pair that does not fit"
cp two.key key.pem
until_true 15 has_said relay "certificate renewed, sha256 $(cat two.sum)" || fail "it is not renewed"
cp three.pem chain.pem
cp three.key key.pem
kill -HUP "${pid_of[relay]}"
until_true 2 has_said relay "certificate renewed, sha256 $(cat three.sum)" || fail "SIGHUP does nothing"
get /certificate.sha256
[ "$(cat body)" = "$(cat three.sum)" ] || fail "the hash is another one"
print=$(cat three.sum)
random_file file 1M
start_publish publish film --wait-subscriber --input file
finished publish 0
finished watch 0 # It came with the first certificate.
same file watch.out
kill "${pid_of[relay]}"
finished relay 0
