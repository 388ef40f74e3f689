#!/usr/bin/env bash
# Certificates that clients will not take: the operator hears of it at the start, and when they are read again.
# shellcheck source=tests/programs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
command -v openssl >/dev/null || { echo "openssl is not there to make a certificate"; exit 77; }

printf '[ca]\ndefault_ca = it\n[it]\nnew_certs_dir = .\ndatabase = index\nserial = serial\ndefault_md = sha256\npolicy = any
unique_subject = no\nx509_extensions = ext\n[any]\ncommonName = supplied\n[ext]\nsubjectAltName = DNS:localhost\n' >ca.conf
: >index
echo 01 >serial
openssl ecparam -name prime256v1 -genkey -noout -out key.pem
openssl req -new -key key.pem -subj /CN=localhost -out csr.pem
# certify <file> <not before> <not after>: as YYYYMMDDHHMMSSZ. In one step, so that no half of it is read.
certify() {
    openssl ca -batch -notext -selfsign -config ca.conf -keyfile key.pem -in csr.pem -startdate "$2" -enddate "$3" \
        -out made.pem 2>openssl.out || fail "openssl: $(cat openssl.out)"
    mv made.pem "$1"
}
warnings() { grep -c ' warning the certificate' "$1.err" || true; }

say "one that has expired, and one that is not valid yet: a warning with the date, and the relay serves"
certify cert.pem 20190101000000Z 20200101000000Z
start_relay expired --cert cert.pem --key key.pem
said expired 'warning the certificate expired at 2020-01-01T00:00:00Z'
start_watch pinned film --timeout 0.3
finished pinned 1
said pinned 'film was not announced'
start unpinned watch --quiet --ca cert.pem "moqt://localhost:${at##*:}" film data
finished unpinned 1
said_once unpinned 'cannot connect to .*expired'
[ "$(warnings expired)" = 1 ] || fail "that is not said once"

say "and again after a reload by SIGHUP; not when the new one is valid"
kill -HUP "${pid_of[expired]}"
warned_twice() { [ "$(warnings expired)" = 2 ]; }
until_true 5 warned_twice || fail "SIGHUP says nothing of the date"
certify cert.pem 20500101000000Z 20510101000000Z
kill -HUP "${pid_of[expired]}"
until_true 5 has_said expired 'warning the certificate is not valid before 2050-01-01T00:00:00Z' || fail "no word of a future one"
certify cert.pem 20200101000000Z 20510101000000Z
kill -HUP "${pid_of[expired]}"
until_true 5 has_said expired 'certificate renewed.*valid until 2051-01-01T00:00:00Z' || fail "the good one is not taken"
[ "$(warnings expired)" = 3 ] || fail "a warning of a certificate that is good"
kill "${pid_of[expired]}"
finished expired 0

say "one that expires while the relay runs"
certify cert.pem 20200101000000Z "$(date -u -d '+4 seconds' +%Y%m%d%H%M%SZ)"
start_relay ending --cert cert.pem --key key.pem
[ "$(warnings ending)" = 0 ] || fail "warned too early"
until_true 10 has_said ending 'warning the certificate expired at' || fail "nothing is said when it ends"
kill "${pid_of[ending]}"
finished ending 0

say "a certificate that the relay makes is never the cause of a warning"
start_relay made --tls-generate localhost
kill -HUP "${pid_of[made]}"
until_true 5 has_said made 'certificate renewed' || fail "no new one"
[ "$(warnings made)" = 0 ] || fail "warned of its own"
kill "${pid_of[made]}"
finished made 0

say "an encrypted key is refused by its file's name, without a question on the terminal"
certify cert.pem 20200101000000Z 20510101000000Z
openssl pkcs8 -topk8 -in key.pem -passout pass:secret -out pkcs8.pem
openssl ec -aes256 -in key.pem -passout pass:secret -out rfc1421.pem 2>/dev/null
for key in pkcs8.pem rfc1421.pem; do
    start encrypted relay --listen 127.0.0.1:0 --cert cert.pem --key $key
    finished encrypted 1 5
    said_once encrypted "$key is encrypted, which is not supported"
done
