#pragma once
#include <cstdint>

#include "native/storage/storage.h"

namespace plugpull {

// XXH3-64. Not secret-keyed: it tells damage and torn writes, not forgery.
std::uint64_t hash64(ConstBytes bytes, std::uint64_t seed) noexcept;

// A seed out of two numbers, none of which may cancel the other.
std::uint64_t mix_seeds(std::uint64_t a, std::uint64_t b) noexcept;

// The eight bytes `text` as a number, so that they can be read in a hex dump.
constexpr std::uint64_t magic(const char (&text)[9]) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8U | static_cast<unsigned char>(text[i]);
  return value;
}

}  // namespace plugpull
