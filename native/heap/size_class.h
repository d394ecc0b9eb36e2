#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "native/storage/storage.h"

namespace plugpull {

inline constexpr std::size_t kSlabHeaderBytes = 64;
inline constexpr std::size_t kSlabPayload = kPageSize - kSlabHeaderBytes;

// Block sizes on slab pages. All are multiples of 16, so that blocks are aligned; the
// larger ones are the largest multiples of 16 of which 2, 3, 4 … fit on a page. They are
// part of the layout fingerprint.
inline constexpr std::array<std::uint16_t, 24> kClassSizes = {16,  32,  48,  64,  80,  96,   112,  128,
                                                              144, 160, 192, 224, 256, 288,  336,  400,
                                                              448, 496, 576, 672, 800, 1008, 1344, 2016};
inline constexpr std::size_t kLargestSmall = kSlabPayload;  // one block of this size fills a slab page
inline constexpr std::size_t kClassCount = kClassSizes.size() + 1;

// Bytes of a block of class `size_class`.
constexpr std::size_t class_size(std::size_t size_class) noexcept {
  return size_class < kClassSizes.size() ? kClassSizes[size_class] : kLargestSmall;
}

constexpr std::uint32_t class_capacity(std::size_t size_class) noexcept {
  return static_cast<std::uint32_t>(kSlabPayload / class_size(size_class));
}

// The smallest class that holds `bytes` (1 … kLargestSmall).
constexpr std::size_t class_for(std::size_t bytes) noexcept {
  std::size_t size_class = 0;
  while (class_size(size_class) < bytes) ++size_class;
  return size_class;
}

}  // namespace plugpull
