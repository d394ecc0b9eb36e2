// What most of the native code includes, compiled once for the tests' build (see the Makefile).
#ifndef PLUGPULL_NATIVE_TEST_HEADERS_H
#define PLUGPULL_NATIVE_TEST_HEADERS_H

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#ifdef PLUGPULL_TESTS
#include <doctest/doctest.h>
#endif

#endif  // PLUGPULL_NATIVE_TEST_HEADERS_H
