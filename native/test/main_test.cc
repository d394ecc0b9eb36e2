// Without the framework's own handlers: it would replace the heap's SIGSEGV handler at
// the start of every test case.
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
