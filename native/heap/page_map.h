#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "native/heap/size_class.h"
#include "native/storage/storage.h"

namespace plugpull {

inline constexpr std::uint32_t kExtentPages = 1024;

enum class PageKind : std::uint8_t { kFree = 0, kSlab, kLargeHead, kLargeTail, kReserved };

// What one page is used for: 4 bits of kind, 28 of value (size class, or the length of a
// large run in pages). A page of zeros in a descriptor page means "all free", so that
// fresh space needs no write.
struct Descriptor {
  PageKind kind = PageKind::kFree;
  std::uint32_t value = 0;

  std::uint32_t pack() const noexcept { return static_cast<std::uint32_t>(kind) << 28 | value; }
  static Descriptor unpack(std::uint32_t word) noexcept {
    return {static_cast<PageKind>(word >> 28), word & 0x0fffffff};
  }
};
inline constexpr std::uint32_t kMostPages = 0x0fffffff;

// The first 64 bytes of a slab page. The allocation state of a block lies on the page of
// the block, which is changed anyway when the block is.
struct SlabHeader {
  std::uint32_t magic;
  std::uint16_t size_class;
  std::uint16_t used;
  std::uint64_t bitmap[4];
  std::byte unused[24];
};
static_assert(sizeof(SlabHeader) == kSlabHeaderBytes);
static_assert(class_capacity(0) <= 256);
inline constexpr std::uint32_t kSlabMagic = 0x62616c73;  // "slab"

// A run longer than an extent ("huge") owns whole extents: its head is the first usable page of
// one, and it covers the descriptor pages of those that follow, whose bytes are data then.
struct HugeRun {
  std::uint32_t head;
  std::uint32_t pages;
};

// The descriptors, in the heap's own pages: the first page of each extent of 1024 pages
// (page 1 in extent 0) holds 4 bytes for each page of the extent.
class PageMap {
 public:
  explicit PageMap(std::byte* base) : base_(base) {}

  static bool holds_descriptors(std::uint32_t page) noexcept {
    return page == 1 || (page != 0 && page % kExtentPages == 0);
  }
  static std::uint32_t descriptor_page(std::uint32_t page) noexcept {
    return page < kExtentPages ? 1 : page / kExtentPages * kExtentPages;
  }
  // First page of an extent that can hold data.
  static std::uint32_t first_usable(std::uint32_t extent) noexcept {
    return extent == 0 ? 2 : extent * kExtentPages + 1;
  }
  static std::uint32_t extent_end(std::uint32_t page) noexcept {
    return (page / kExtentPages + 1) * kExtentPages;
  }

  std::byte* page(std::uint32_t number) const noexcept { return base_ + std::size_t{number} * kPageSize; }
  SlabHeader& slab(std::uint32_t number) const noexcept {
    return *reinterpret_cast<SlabHeader*>(page(number));
  }

  // Only for pages that no huge run covers.
  Descriptor get(std::uint32_t number) const noexcept { return Descriptor::unpack(word(number)); }
  void set(std::uint32_t number, Descriptor descriptor) const noexcept {
    std::uint32_t& place = word(number);
    // Written only where it changes: a write makes the page part of the next commit.
    if (place != descriptor.pack()) place = descriptor.pack();
  }

  // Marks page 0 and the descriptor pages of [from, to) as reserved.
  void reserve_descriptors(std::uint32_t from, std::uint32_t to) const noexcept;

  // The huge runs of a heap of `page_count` pages. One look at each extent. What cannot
  // be right is left out here and reported by the integrity check.
  std::vector<HugeRun> find_huge_runs(std::uint32_t page_count) const;

 private:
  std::uint32_t& word(std::uint32_t number) const noexcept {
    return reinterpret_cast<std::uint32_t*>(page(descriptor_page(number)))[number % kExtentPages];
  }

  std::byte* base_;
};

}  // namespace plugpull
