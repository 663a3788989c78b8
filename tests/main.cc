#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#ifdef __SANITIZE_ADDRESS__
// Memory that cannot be had is an Error that tests look for; the sanitizer would end the program.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
#endif
