// How the cost of an operation grows with the tables behind it. A scene is one operation beside, or on, N things; its
// instructions are counted by callgrind at N, 2N and 4N.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

namespace moqlite::bench::costs {

/// Counts instructions during its lifetime; set-up outside is not counted.
class measured {
public:
    measured() noexcept;
    ~measured();
    measured(const measured&) = delete;
    measured& operator=(const measured&) = delete;
};

struct scene {
    std::string name;  ///< Row of the issue and description, as "B3 leave: ...".
    std::size_t n = 0; ///< The smallest N.
    double growth = 1; ///< Maximum of cost(2N) / cost(N) and cost(4N) / cost(2N): 1 is constant, 2 linear.
    void (*run)(std::size_t n) = nullptr; ///< Sets up, then works while a `measured` lives.
};

/// Adds scenes to the program: one object of it in a file, `const scenes mine{{...}, {...}};`.
class scenes {
public:
    scenes(std::initializer_list<scene> added);
    [[nodiscard]] static std::vector<scene>& all();
};

} // namespace moqlite::bench::costs
