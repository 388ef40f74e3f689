#!/usr/bin/env bash
# A relay that is stopped with --drain asks its sessions to leave, takes no new ones, and lets those there are go on.
# shellcheck source=tests/programs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

say "sessions are asked to leave, and go on until the publisher is done"
start_relay relay --drain 20
mkfifo film
start_watch watch film --output copy
exec 3<>film
input=film start_publish publish film --wait-subscriber --frame-size 1K --group-frames 1
random_file first 64K
random_file second 64K
cat first >&3
until_true 10 test -s copy || fail "nothing arrives"
kill -TERM "${pid_of[relay]}"
until_true 10 has_said watch 'asks to be connected to again' || fail "watch was not asked to leave"
until_true 10 has_said publish 'asks to be connected to again' || fail "publish was not asked to leave"

say "and nobody new comes in"
start_watch late film --timeout 5
finished late 1
said_once late 'cannot connect to .*'

cat second >&3
exec 3>&-
finished publish 0
finished watch 0
cat first second >film.whole
same film.whole copy

say "once all have left, it ends before its time"
finished relay 0 5
said relay 'SIGTERM: asking 2 sessions to leave within 20 s'

say "whoever stays is sent away in the end"
start_relay relay --drain 0.5
start_watch watch film
until_true 10 has_said watch 'connected to' || fail "watch is not connected"
kill -TERM "${pid_of[relay]}"
finished watch 1
finished relay 0 6
