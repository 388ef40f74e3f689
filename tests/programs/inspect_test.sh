# moqlite-inspect: decodes recorded bytes, and reports malformed ones.
. "$(dirname "$0")/common.sh"

# inspects <exit code> <last line> <protocol> <bidi|uni|datagram> <publisher|subscriber> [flag or hex...]
inspects() {
    local code=$1 last=$2
    start it inspect --protocol "moq-lite-$3" --stream "$4" --sender "$5" "${@:6}"
    finished it "$code" 5
    [ "$(tail -n 1 it.out)" = "$last" ] || fail "$* ended with: $(tail -n 1 it.out)"
    [ ! -s it.err ] || fail "$* wrote to stderr"
}
# tells <offset> <length> <message and fields>
tells() { sed -E 's/ +/ /g; s/^ //' it.out | grep -qxF -- "$1 $2 $3" || fail "it did not tell of $*, but: $(cat it.out)"; }
# refuses <message> [flag...]
refuses() {
    start it inspect "${@:2}"
    finished it 2 5
    said_once it "$1"
    [ ! -s it.out ] || fail "$* wrote to stdout"
}

say "the streams of one recorded session, each way"
inspects 0 'whole: 10 bytes' 05 uni publisher 01 08 02 01 01 01 05 02 5111
tells 0 1 'STREAM_TYPE type=1 name="Setup"'
tells 1 9 'SETUP probe=1 path=none role=0 cost=none origin=4369'
inspects 0 'whole: 9 bytes' 05 bidi subscriber 01 07 04 726f6f6d 5111
tells 1 8 'ANNOUNCE_REQUEST prefix="room" exclude_hop=4369'
inspects 0 'whole: 18 bytes' 05 bidi publisher '03 6222 01 06 01 03 63616d 00 06 00 03 63616d 00'
tells 0 4 'ANNOUNCE_OK hop_id=8738 active_count=1'
tells 4 7 'ANNOUNCE_BROADCAST status="active" suffix="cam" hop_ids=[]'
tells 11 7 'ANNOUNCE_BROADCAST status="ended" suffix="cam" hop_ids=[]'
inspects 0 'whole: 17 bytes' 05 bidi subscriber 060f 08726f6f6d2f63616d 05766964656f
tells 1 16 'TRACK broadcast="room/cam" track="video"'
inspects 0 'whole: 9 bytes' 05 bidi publisher 08 05 00 47d0 80015f90
tells 0 9 'TRACK_INFO priority=5 ordered=false max_latency_ms=2000 timescale=90000'
inspects 0 'whole: 32 bytes' 05 bidi subscriber 02160008726f6f6d2f63616d05766964656f030040fa0000 07090141f4084065
tells 1 23 'SUBSCRIBE subscribe_id=0 broadcast="room/cam" track="video" priority=3 ordered=false max_latency_ms=250 start_group=none end_group=none'
tells 24 8 'SUBSCRIBE_UPDATE priority=9 ordered=true max_latency_ms=500 start_group=7 end_group=100'
inspects 0 'whole: 6 bytes' 05 bidi publisher 00 01 07 01 01 09
tells 0 3 'SUBSCRIBE_OK group=7'
tells 3 3 'SUBSCRIBE_END group=9'
inspects 0 'whole: 27 bytes' 05 uni publisher 00 02 00 07 8002bf20 05 68656c6c6f 5770 00 4bb7 07 622d6672616d65
tells 1 3 'GROUP subscribe_id=0 group=7'
tells 4 10 'FRAME timestamp_delta=90000 timestamp=90000 size=5 payload=68656c6c6f "hello"'
tells 14 3 'FRAME timestamp_delta=3000 timestamp=93000 size=0'
tells 17 10 'FRAME timestamp_delta=-1500 timestamp=91500 size=7 payload=622d6672616d65 "b-frame"'
inspects 0 'whole: 19 bytes' 05 bidi subscriber 03 11 08726f6f6d2f63616d 05766964656f 04 07
tells 1 18 'FETCH broadcast="room/cam" track="video" priority=4 group=7'
inspects 0 'whole: 23 bytes' 05 bidi publisher 8002bf20 05 68656c6c6f 5770 00 4bb7 07 622d6672616d65
inspects 0 'whole: 6 bytes' 05 bidi publisher 05 800f4240 28
tells 0 6 'PROBE bitrate=1000000 rtt_ms=40'

say "the same as other versions write it"
inspects 0 'whole: 7 bytes' 06 bidi subscriber 01 05 04 726f6f6d
inspects 0 'whole: 19 bytes' 06 bidi publisher 03 6222 01 00 07 03 63616d 00 00 01 07 01 78 01 01 00
tells 4 9 'ANNOUNCE_START announce_id=0 suffix="cam" hop_ids=[] warm_cost=0 cold_cost=1'
tells 13 3 'ANNOUNCE_UNKNOWN type=7 size=1 payload=78 "x"'
tells 16 3 'ANNOUNCE_END announce_id=0'
inspects 0 'whole: 9 bytes' 04 bidi publisher 08 01 03 63616d 01 6222
tells 0 9 'ANNOUNCE status="active" suffix="cam" hop_ids=[8738]'
inspects 0 'whole: 8 bytes' 04 bidi publisher 00 06 03 00 40fa 00 00
inspects 0 'whole: 7 bytes' 03 bidi publisher 06 01 03 63616d 01
tells 0 7 'ANNOUNCE status="active" suffix="cam" hop_count=1'
inspects 0 'whole: 11 bytes' 03 uni publisher 00 02 00 07 05 68656c6c6f 00

say "the request of an answer is guessed, or given by --type"
inspects 0 'whole: 4 bytes' 05 bidi publisher 03 6222 01
grep -qxF 'assumed: a stream of type probe; announce would also fit (see --type)' it.out || fail "it did not say what it assumed"
inspects 0 'whole: 4 bytes' 05 bidi publisher --type announce 03 6222 01
tells 0 4 'ANNOUNCE_OK hop_id=8738 active_count=1'
grep -q assumed it.out && fail "it assumed what it was told"
inspects 0 'whole: 3 bytes' 05 bidi publisher --type goaway 05 01 00
inspects 1 'malformed at 0: unknown_message_type' 05 bidi publisher --type subscribe 03 6222 01

say "where bytes stop making sense: exit code 1"
inspects 1 'malformed at 1: message_too_long' 03 bidi subscriber 01 02 00 00
inspects 1 'malformed at 4: timestamp_out_of_range' 05 uni publisher 00 02 00 07 01 00
inspects 1 'malformed at 0: unknown_stream_type' 05 uni publisher 02
inspects 1 'malformed at 0: message_too_short' 05 datagram publisher 01 02
inspects 1 'malformed at 0: unsupported' 04 datagram publisher 01 02 03

say "bytes that end in the middle: exit code 3"
inspects 3 'incomplete at 1: the message continues beyond the end, at 4' 05 bidi subscriber 01 07 04 72
inspects 3 'incomplete at 1: a message must follow' 05 bidi subscriber 02
inspects 3 'incomplete at 4: the message continues beyond the end, at 8' 05 uni publisher 00 02 00 07 00 05 68 65

say "bytes from a pipe, with white space anywhere"
printf '0\n1 02\t00\r\n\n 00\n' >bytes
input=bytes inspects 0 'whole: 4 bytes' 05 bidi subscriber -
inspects 0 'whole: 4 bytes' 05 bidi subscriber $' 01\t02\n00 0 0 '

say "one JSON document"
inspects 1 '],"end":"malformed","error":"timestamp_out_of_range","error_offset":8}' 05 uni publisher --json \
    000200070002411f0300
printf '%s\n' '{"protocol":"moq-lite-05","stream":"uni","sender":"publisher","messages":[' \
    '{"offset":0,"length":1,"type":"STREAM_TYPE","fields":{"type":0,"name":"Group"}},' \
    '{"offset":1,"length":3,"type":"GROUP","fields":{"subscribe_id":0,"group":7}},' \
    '{"offset":4,"length":4,"type":"FRAME","fields":{"timestamp_delta":0,"timestamp":0,"size":2,"payload_hex":"411f","payload_text":"A."}}' \
    '],"end":"malformed","error":"timestamp_out_of_range","error_offset":8}' >expected
same it.out expected

say "moq-transport: the control stream, objects and datagrams"
moqt() {
    local want=$1 line=$2
    shift 2
    start it inspect --protocol "moqt-${draft:-14}" --stream "$@"
    finished it "$want" 5
    grep -qF -- "$line" it.out || fail "moqt-${draft:-14} $*: no '$line' in $(cat it.out)"
}
moqt 0 'SUBSCRIBE_ERROR request_id=0 error_code=4 error="TRACK_DOES_NOT_EXIST" reason="Track not available"' bidi \
    050016000413547261636b206e6f7420617661696c61626c65
moqt 0 'PUBLISH_NAMESPACE request_id=2 track_namespace=("live" "room1" "cam") parameters=[0x3=0201]' bidi \
    0600160203046c69766505726f6f6d310363616d0103020201
moqt 0 'OBJECT object_id=0 status=4' uni 18010480000004
moqt 0 '"fields":{"track_alias":3,"group_id":7,"object_id":12,"publisher_priority":0,"end_of_group":0,"status":3}' datagram --json 2003070c0003
moqt 1 'malformed at 9: object_order' uni 05000100020000016101000100000162
moqt 3 'incomplete at 0' bidi 0600
draft=18 moqt 0 'SETUP options=[0x1=2f61 0x7=78]' uni af000007 01022f61 060178
draft=18 moqt 0 'SUBSCRIBE request_id=200 track_namespace=("moqtail" "demo") track_name="video" parameters=[0x10=1 0x20=128 0x21=02 0x22=2]' bidi \
    03002080c802076d6f717461696c0464656d6f05766964656f04100110800101020102
draft=18 moqt 0 'missing="unknown"' uni 0504 1f0903020700 810c0914
refuses '--type is for moq-lite' --protocol moqt-14 --stream bidi --type fetch 00

say "flags that are wrong: exit code 2"
refuses 'HEX is required' --protocol moq-lite-05 --stream uni --sender publisher
refuses '--protocol is required' --stream uni --sender publisher 00
refuses '--stream is required' --protocol moq-lite-05 --sender publisher 00
refuses '--sender is required' --protocol moq-lite-05 --stream uni 00
refuses "protocol 'moq-lite-99' is not supported" --protocol moq-lite-99 --stream uni --sender publisher 00
refuses 'tri not in' --protocol moq-lite-05 --stream tri --sender publisher 00
refuses 'relay not in' --protocol moq-lite-05 --stream uni --sender relay 00
refuses 'HEX is not hexadecimal' --protocol moq-lite-05 --stream uni --sender publisher 0g
refuses 'HEX ends with half a byte' --protocol moq-lite-05 --stream uni --sender publisher 000
refuses '--type is for --stream bidi --sender publisher' --protocol moq-lite-05 --stream uni --sender publisher --type fetch 00
refuses 'moq-lite-04 has no streams of type track' --protocol moq-lite-04 --stream bidi --sender publisher --type track 00
echo '01 0' >half
input=half refuses 'half a byte' --protocol moq-lite-05 --stream uni --sender publisher -
"$MOQLITE_BIN/moqlite-inspect" --help | grep -q 'Exit codes: 0 the bytes are whole' || fail "--help does not tell the exit codes"
