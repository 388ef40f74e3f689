// A violation of the transport contract fails the test.
#pragma once

#include <moqlite/session/checking_transport.hpp>
#include <must.hpp>
#include <string_view>

namespace moqlite::sim {

struct fault_is_failure {
    void operator()(std::string_view rule) const { must(false, rule.data()); }
};

} // namespace moqlite::sim
