// Every scenario over real QUIC and TLS packets, in virtual time.
#include "net.hpp"

#include "conformance/announce.hpp"
#include "conformance/complete.hpp"
#include "conformance/fault.hpp"
#include "conformance/lent.hpp"
#include "conformance/mesh.hpp"
#include "conformance/ranges.hpp"
#include "conformance/relay.hpp"
#include "conformance/slow.hpp"
#include "conformance/subscribe.hpp"
