// The pool of slabs: counted, bounded, used again.
#include <catch2/catch_test_macros.hpp>
#include <moqlite/session/slab.hpp>
#include <vector>

namespace moqlite::test::slab_test {

TEST_CASE("a slab fits the request, and grows to the next size after the one before", "[slab]") {
    slab_pool pool;
    slab* small = pool.take(1, nullptr);
    slab* next = pool.take(1, small);
    slab* third = pool.take(1'000'000, next);
    slab* huge = pool.take(1'000'000, nullptr);
    slab* last = pool.take(1, huge);
    CHECK(small->capacity < next->capacity);
    CHECK(next->capacity < third->capacity);
    CHECK(third->capacity < huge->capacity);
    CHECK(huge->capacity >= 65536);
    CHECK(last->capacity == huge->capacity);
    std::size_t sum = 0;
    for (auto* s : {small, next, third, huge, last}) sum += s->capacity + sizeof(slab);
    CHECK(pool.in_use() == sum);
    for (auto* s : {small, next, third, huge, last}) pool.give_back(s);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("a pool allocates nothing beyond its limit until memory is returned", "[slab]") {
    slab_pool pool{3000};
    slab* a = pool.take(1, nullptr);
    slab* b = pool.take(1, nullptr);
    REQUIRE(a != nullptr);
    REQUIRE(b != nullptr);
    slab* c = pool.take(900, nullptr);
    CHECK(pool.take(1, nullptr) == nullptr);
    CHECK(pool.in_use() <= pool.limit());
    pool.give_back(a);
    a = pool.take(1, nullptr);
    CHECK(a != nullptr);
    for (auto* s : {a, b, c})
        if (s != nullptr) pool.give_back(s);
    CHECK(pool.in_use() == 0);
}

#if defined(__SANITIZE_ADDRESS__)
TEST_CASE("a returned slab is poisoned until it is allocated again", "[slab]") {
    slab_pool pool;
    slab* a = pool.take(1, nullptr);
    std::byte* const bytes = a->data();
    CHECK(__asan_address_is_poisoned(bytes) == 0);
    pool.give_back(a);
    CHECK(__asan_address_is_poisoned(bytes) != 0);
    CHECK(pool.take(1, nullptr) == a);
    CHECK(__asan_address_is_poisoned(bytes) == 0);
    pool.give_back(a);
}
#endif

} // namespace moqlite::test::slab_test
