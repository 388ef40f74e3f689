// A file that is removed at the end of the test.
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>

namespace moqlite::test {

struct temporary_file {
    explicit temporary_file(std::string_view text) {
        char path[] = "/tmp/moqlite-test-XXXXXX";
        const int fd = mkstemp(path);
        REQUIRE(fd >= 0);
        close(fd);
        name = path;
        write(text);
    }
    ~temporary_file() { std::remove(name.c_str()); }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;

    void write(std::string_view text) const { std::ofstream{name} << text; }

    std::string name;
};

} // namespace moqlite::test
