#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace octet::fuzz {

// An input to begin with.
struct Seed {
  std::string harness, name;
  std::vector<std::byte> bytes;
};

// Right files of every kind, made of the repository's fixtures and by its writers.
std::vector<Seed> seeds();

}  // namespace octet::fuzz
