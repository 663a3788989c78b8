#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cxxopts.hpp>
#include <exception>
#include <iostream>

#include "base/error.h"
#include "base/float_environment.h"

namespace octet {

// A program may be started with a standard descriptor closed. The first file that it opens would
// then get that number, and what it prints would end up there: so the three are opened, on
// /dev/null, before anything else is.
inline void open_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is given: this one. Without /dev/null nothing can be done safely.
    if (::open("/dev/null", O_RDWR) != fd) ::_exit(1);
  }
}

// Runs a program's body, which returns the exit code: 2 for wrong usage or config, 1 for any other
// error, with its message on stderr. That the results could not be written, on a full disk say, is
// such an error.
template <class Body>
int guarded_main(const Body& body) {
  open_standard_descriptors();
  const FloatEnvironment environment;
  try {
    const int code = body();
    if (std::cout.flush() || code != 0) return code;
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
