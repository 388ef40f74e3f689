// The qlog of each end of a connection.
#include "memory_pair.hpp"

#include <algorithm>
#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <memory>

namespace moqlite::test::qlog_test {

namespace {

struct journal {
    /// For endpoint_options::qlog.
    std::function<link::qlog_function(role, std::string_view)> keeper() {
        return [this](role side, std::string_view id) -> link::qlog_function {
            if (refuse) return {};
            roles.push_back(side);
            ids.emplace_back(id);
            auto text = std::make_shared<std::string>();
            texts.push_back(text);
            return [text](byte_view bytes) { text->append(as_text(bytes)); };
        };
    }
    bool refuse = false;
    std::vector<role> roles;
    std::vector<std::string> ids;
    std::vector<std::shared_ptr<std::string>> texts;
};

} // namespace

TEST_CASE("both ends write a sequence of JSON texts, named by the client's first connection id, to the end") {
    journal client, server;
    pair_options options;
    options.client.qlog = client.keeper();
    options.server.qlog = server.keeper();
    options.server.retry = GENERATE(false, true); // After a Retry the first id still counts.
    memory_pair pair{std::move(options)};
    pair.connected().first->send(direction::uni, noise(100'000));
    pair.run_for(1s);
    pair.client.endpoint.close_all(app_error::cancel, "bye");
    pair.run_for(20s);
    CHECK(client.roles == std::vector{role::client});
    CHECK(server.roles == std::vector{role::server});
    REQUIRE(client.ids.size() == 1);
    CHECK(client.ids[0].size() == 36);
    CHECK(client.ids == server.ids);
    for (const auto& text : {client.texts.at(0), server.texts.at(0)}) {
        CHECK(text.use_count() == 2); // Its writer ended with its connection; the other one is ours.
        CHECK(text->front() == '\x1e');
        CHECK(text->back() == '\n');
        CHECK(std::ranges::count(*text, '\x1e') > 50);
    }
    CHECK(client.texts[0]->find("\"group_id\":\"" + client.ids[0] + '"') != std::string::npos);
    CHECK(server.texts[0]->find("connection_close") != std::string::npos);
}

TEST_CASE("a connection without a qlog is a connection") {
    journal none;
    none.refuse = true;
    pair_options options;
    options.client.qlog = options.server.qlog = none.keeper();
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    client->send(direction::uni, noise(100'000));
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 1; }));
}

} // namespace moqlite::test::qlog_test
