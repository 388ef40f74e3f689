// TLS of servers and clients: identities, trust, and certificates that are renewed. Here the QUIC stack is chosen.
#pragma once

#include <moqlite/ngtcp2/certificate_store.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <moqlite/ngtcp2/tls.hpp>

namespace moqlite::asio {

using ngtcp2::certificate;
using ngtcp2::certificate_by_name;
using ngtcp2::certificate_store;
using ngtcp2::client_authentication;
using ngtcp2::endpoint_options;
using ngtcp2::fingerprint;
using ngtcp2::generate_identity;
using ngtcp2::identity;
using ngtcp2::library_versions;
using ngtcp2::load_identity;
using ngtcp2::reset_key;
using ngtcp2::resumption;
using ngtcp2::ticket_keys;
using ngtcp2::tls;
using ngtcp2::tls_client_options;
using ngtcp2::tls_server_options;
using ngtcp2::trust;
using ngtcp2::validity;
using ngtcp2::wall_time;

} // namespace moqlite::asio
