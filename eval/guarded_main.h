#pragma once

#include <cxxopts.hpp>
#include <exception>
#include <iostream>

#include "base/error.h"

namespace octet {

// Runs a program's body, which returns the exit code: 2 for wrong usage or config, 1 for any other
// error, with its message on stderr.
template <class Body>
int guarded_main(const Body& body) {
  try {
    return body();
  } catch (const cxxopts::exceptions::exception& error) {
    std::cerr << "error: " << error.what() << "; see --help\n";
    return 2;
  } catch (const UsageError& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}

}  // namespace octet
