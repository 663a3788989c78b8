#pragma once

#include <cxxopts.hpp>
#include <exception>
#include <iostream>

#include "base/error.h"

namespace octet {

// Runs a program's body, which returns the exit code: 2 for wrong usage or config, 1 for any other
// error, with its message on stderr. That the results could not be written, on a full disk say, is
// such an error.
template <class Body>
int guarded_main(const Body& body) {
  try {
    const int code = body();
    if (std::cout.flush()) return code;
    throw Error("cannot write to standard output; what it shows is not complete");
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
