#!/usr/bin/env bash
# Every command in README.md and in the examples of --help runs as it is written, but for hosts, ports and fingerprints.
# shellcheck source=tests/programs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
sources=$(cd "$OLDPWD" && cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
command -v openssl >/dev/null || { echo "openssl is not there to make a certificate"; exit 77; }

# The files and neighbours that the commands name.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,DNS:relay.example,IP:127.0.0.1 -keyout privkey.pem -out fullchain.pem 2>/dev/null
for file in film.ts film.mp4 f; do random_file "$file" 100K; done
mkdir bin
printf '#!/bin/sh\nn=0; while [ $n -lt 60 ]; do head -c 4096 /dev/zero; sleep 0.05; n=$((n + 1)); done\n' >bin/camera
printf '#!/bin/sh\ncat >played\n' >bin/ffplay
printf '#!/bin/sh\nod -An -v -tx1 "$2"\n' >bin/xxd
printf '\0\1a\2\3bcd' >stream.bin # Two frames of a fetched group.
chmod +x bin/*
export PATH=$MOQLITE_BIN:$work/bin:$PATH

# commands_of_readme, commands_of_help <program>: one a line.
commands_of_readme() { awk '/^```/ {inside = !inside; next} inside && /^(moqlite-|.*\| *moqlite-)/' "$sources/README.md"; }
commands_of_help() {
    "$MOQLITE_BIN/moqlite-$1" --help | awk '/^Examples:/ {inside = 1; next} inside && /^$/ {exit} inside' | sed 's/^ *//'
}

# here <command>: at our relay, with our certificate.
here() {
    local made
    made=$(sed -E "s/relay\.example(:4443)?/localhost:$port/; s/localhost:4443/localhost:$port/; s/\[::1\]:4443/[::1]:$port/
        s/:4443/:$port/g; s/:443\b/:$port/g; s/127\.0\.0\.1:8080/127.0.0.1:0/; s/3f\.\.a9/$print/" <<<"$1")
    [[ $made =~ moqlite-(publish|watch) && ! $made =~ --(fingerprint|tls-insecure|ca)\  ]] &&
        made=$(sed -E "s/(moqlite-(publish|watch))/\1 --fingerprint $print/" <<<"$made")
    printf '%s' "$made"
}

# run_in_background <name> <shell command>: as a shell would, the last program of a pipe being the one that counts.
run_in_background() {
    : >"$1.out" >"$1.err"
    bash -c "set -o pipefail; $2" </dev/null >"$1.out" 2>"$1.err" 3>&- &
    pid_of[$1]=$!
}

# target_of <command>: URL, broadcast and track of a publisher or watcher.
target_of() { grep -oE '(moqt|https)://[^ ]+ +[^ |]+ +[^ |]+' <<<"$1"; }

# A relay: each of its listeners passes something on.
try_relay() {
    local command=$1 line listener
    run_in_background relay "exec $command"
    until_true 10 listens_or_is_over relay || fail "not ready after 10 s: $command"
    is_over relay && fail "ended: $command"
    [[ $command != *--web* ]] || grep -q '^web 127.0.0.1:' relay.out || fail "no web server: $command"
    grep '^listening' relay.out >listeners
    while read -r _ listener _ _ _ line; do
        listener=${listener/#0.0.0.0:/127.0.0.1:} listener=${listener/#\[::\]:/[::1]:}
        start publish publish --wait-subscriber --input f --fingerprint "$line" "moqt://$listener" "a$((++round))" data
        start watch watch --from 0 --timeout 9 --fingerprint "$line" "moqt://$listener" "a$round" data
        finished publish 0
        finished watch 0
        same f watch.out
    done <listeners
    kill "${pid_of[relay]}"
    finished relay 0 6
}

# A publisher: it ends, and a watcher receives its data; a file without a rate does not wait for one.
try_publish() {
    local command=$1 target
    read -ra target < <(target_of "$command")
    if [[ $command != *--wait-subscriber* && $command != *--rate* ]]; then
        run_in_background publish "$command"
        finished publish 0
        said publish 'published [0-9]+ groups'
        return
    fi
    start watch watch --timeout 9 --fingerprint "$print" "${target[@]}"
    until_true 10 has_said watch 'connected to' || fail "watch is not connected"
    run_in_background publish "$command"
    finished publish 0 20
    finished watch 0
    [ -s watch.out ] || fail "nothing came: $command"
}

# A watcher: it receives what is published under that name, to the end.
try_watch() {
    local command=$1 target
    read -ra target < <(target_of "$command")
    start publish publish --wait-subscriber --input film.ts --fingerprint "$print" "${target[@]}"
    run_in_background watch "$command"
    finished publish 0
    finished watch 0
    case $command in
    *ffplay*) same film.ts played ;;
    *--output\ /dev/null*) ;;
    *) same film.ts "$(sed -E 's/.*--output +([^ ]+).*/\1/' <<<"$command")" ;;
    esac
}

# try <command>
round=0 tried=0
try() {
    local command
    command=$(here "$1")
    say "$1"
    # A copy must not lie over what it is compared with.
    [[ $command != *moqlite-watch*--output\ film* ]] || command=${command/--output film/--output copy-of-film}
    case $command in
    moqlite-relay\ *) try_relay "$command" ;;
    *moqlite-publish\ *) try_publish "$command" ;;
    *moqlite-watch\ *) try_watch "$command" ;;
    *moqlite-inspect\ *)
        bash -c "$command" >inspect.out 2>inspect.err </dev/null || fail "$command"
        [ -s inspect.out ] || fail "it says nothing: $command"
        ;;
    *) fail "no way to try this is known: $1" ;;
    esac
    tried=$((tried + 1))
}

# A port that is free for IPv4 and IPv6 when asked; the relays that are tried take it in turn with ours.
start_relay any --listen :0
port=${at##*:}
kill "${pid_of[any]}"
finished any 0
commands_of_readme >readme
for program in relay publish watch inspect; do commands_of_help $program >$program.examples; done
[ "$(wc -l <readme)" -ge 5 ] || fail "README.md has fewer commands than are known"
for program in relay publish watch inspect; do
    [ "$(wc -l <$program.examples)" -ge 2 ] || fail "moqlite-$program --help has fewer examples than are known"
done
mapfile -t commands < <(cat readme ./*.examples | sort -u)
for command in "${commands[@]}"; do
    [[ $command != moqlite-relay* ]] || try "$command"
done
start_relay ours --listen ":$port" --cert fullchain.pem --key privkey.pem
for command in "${commands[@]}"; do
    [[ $command == moqlite-relay* ]] || try "$command"
done
[ $tried = ${#commands[@]} ] || fail "$tried of ${#commands[@]} commands were tried"

say "./dev lists every command of it in README.md"
bash "$sources/dev" help >dev-list 2>&1 || true
while read -r _ name; do
    grep -qE "^ +$name\\b" dev-list || fail "./dev $name is not listed"
done < <(grep -oE '\./dev [a-z]+' "$sources/README.md" | sort -u)
