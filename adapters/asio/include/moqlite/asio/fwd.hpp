// Every type of the application API, declared.
#pragma once

namespace moqlite::asio {

class admission;
class announcements;
class broadcast;
class client;
class fetched_group;
class frame;
class group_reader;
class group_writer;
class incoming_peer;
class incoming_peers;
class origin;
class peer_key;
class peers;
class probe;
class server;
class session;
class track_reader;
class track_request;
class track_writer;
struct notice;

} // namespace moqlite::asio
