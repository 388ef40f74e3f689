// The relay program's options, as parsed from its command line.
#pragma once

#include <cstdint>
#include <moqlite/asio/tls.hpp>
#include <moqlite/core/limits.hpp>
#include <string>
#include <vector>

namespace moqlite::programs {

struct relay_program_options {
    std::vector<std::string> listen;
    std::vector<std::string> tls_generate; ///< Empty: use `cert` and `key`.
    std::string cert;
    std::string key;
    std::vector<std::string> protocols;
    std::vector<std::string> allow_origin; ///< For pages; empty: those of our own hosts.
    std::vector<std::string> hosts;        ///< Host names besides the certificate's.
    std::uint64_t cache_bytes = limits{}.cache;
    double cache_age = 30; ///< Seconds.
    std::uint64_t live_backlog = limits{}.live_backlog;
    double idle_timeout = 8; ///< Seconds.
    std::uint64_t max_hops = limits{}.route_hops;
    double drain = 0;      ///< Seconds between asking sessions to leave and ending them.
    std::string drain_uri; ///< Where these sessions should go; empty: to this address.
    bool retry = false;
    std::uint64_t per_address = asio::endpoint_options{}.connections / 4; ///< Connections.
    std::string web;                                                      ///< Where to listen for HTTP; empty: nowhere.
    std::string web_root;
    std::string qlog; ///< A directory, or empty.
    std::string log_level = "info";
};

} // namespace moqlite::programs
