# --qlog: each end of each connection writes a file, named by the same id, that is a sequence of JSON texts.
. "$(dirname "$0")/common.sh"
command -v python3 >/dev/null || { echo "python3 is not there to read JSON"; exit 77; }

mkdir logs
random_file file 3M
start_relay relay --qlog logs
start_publish publish film --wait-subscriber --input file --qlog logs
start_watch watch film --from 0 --qlog logs
finished publish 0
finished watch 0
same file watch.out
kill "${pid_of[relay]}"
finished relay 0

say "two files a connection, and every record is JSON"
python3 - logs <<'END' || fail "the qlog is not what it should be"
import json, os, sys
names = sorted(os.listdir(sys.argv[1]))
ids = [n.removesuffix("_client.sqlog") for n in names if n.endswith("_client.sqlog")]
assert len(ids) == 2 and len(names) == 4, names
for id in ids:
    assert f"{id}_server.sqlog" in names, names
    for role in ("client", "server"):
        records = open(f"{sys.argv[1]}/{id}_{role}.sqlog", "rb").read().split(b"\x1e")
        assert records[0] == b"" and len(records) > 20, len(records)
        texts = [json.loads(r) for r in records[1:]]
        trace = texts[0]["trace"]
        assert trace["vantage_point"]["type"] == role, trace
        assert trace["common_fields"]["group_id"] == id, trace
        assert {"transport:packet_sent", "transport:packet_received"} <= {t.get("name") for t in texts[1:]}
END

say "a missing directory is refused; one that is removed costs a log line and no connection"
start it relay --listen 127.0.0.1:0 --tls-generate a --qlog nowhere
finished it 2
said_once it 'nowhere'
mkdir gone
start_relay relay --qlog gone
rmdir gone
for n in 1 2; do
    start_publish publish film$n --wait-subscriber --input file
    start_watch watch film$n --from 0
    finished publish 0
    finished watch 0
    same file watch.out
done
[ "$(grep -c 'no qlog for some connections: gone/.*No such file' relay.err)" = 1 ] || fail "that is not said once"

say "a disk that is full ends the files with one line of the log, and costs no connection"
mkdir full
trap '' XFSZ
limit=$(ulimit -S -f)
ulimit -S -f 32 # KiB, of each file; nothing else that is written here is so large.
start_relay full --qlog full
ulimit -S -f "$limit"
for n in 1 2; do
    start_publish publish film$n --wait-subscriber --input file
    start_watch watch film$n --from 0
    finished publish 0
    finished watch 0
    same file watch.out
done
kill "${pid_of[full]}"
finished full 0
[ "$(grep -c 'qlog files are truncated: full/.*File too large' full.err)" = 1 ] || fail "that is not said once"
