#include "native/fams/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>

namespace plugpull {

std::uint64_t hash64(ConstBytes bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t mix_seeds(std::uint64_t a, std::uint64_t b) noexcept {
  const std::array<std::uint64_t, 2> both = {a, b};
  return XXH3_64bits(both.data(), sizeof both);
}

}  // namespace plugpull
