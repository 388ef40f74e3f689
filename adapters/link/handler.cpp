#include <moqlite/link/connection.hpp>
#include <moqlite/link/handler.hpp>

namespace moqlite::link {

void handler::leave(connection& from, app_error code, std::string_view reason) { from.close(code, reason); }

} // namespace moqlite::link
