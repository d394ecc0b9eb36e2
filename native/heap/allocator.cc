#include "native/heap/allocator.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "native/storage/error.h"

namespace plugpull {
namespace {

bool bit(const SlabHeader& slab, std::uint32_t index) { return slab.bitmap[index / 64] >> (index % 64) & 1; }
void flip(SlabHeader& slab, std::uint32_t index) {
  slab.bitmap[index / 64] ^= std::uint64_t{1} << (index % 64);
}

// The first free block of a page; its capacity if there is none.
std::uint32_t first_free(const SlabHeader& slab, std::uint32_t capacity) {
  for (std::uint32_t word = 0; word * 64 < capacity; ++word) {
    if (slab.bitmap[word] == ~std::uint64_t{0}) continue;
    return std::min<std::uint32_t>(word * 64 + std::countr_one(slab.bitmap[word]), capacity);
  }
  return capacity;
}

Offset offset_of(std::uint32_t page, std::size_t inside = 0) { return Offset{page} * kPageSize + inside; }

std::size_t offset_in_slab(std::uint32_t index, std::size_t size_class) {
  return kSlabHeaderBytes + index * class_size(size_class);
}

}  // namespace

Allocator::Allocator(Backend& backend, const std::string& path, PlantedBugs planted, bool fresh)
    : backend_(backend),
      path_(path),
      planted_(planted),
      map_(backend.data()),
      page_count_(static_cast<std::uint32_t>(backend.size() / kPageSize)),
      fresh_from_(fresh ? 2 : page_count_) {
  if (fresh) map_.reserve_descriptors(0, page_count_);
  huge_ = map_.find_huge_runs(page_count_);
}

bool Allocator::covered(std::uint32_t page) const {
  return std::any_of(huge_.begin(), huge_.end(),
                     [page](const HugeRun& run) { return page >= run.head && page < run.head + run.pages; });
}

Descriptor Allocator::descriptor_with_free_blocks(std::uint32_t page) const {
  if (covered(page)) return {PageKind::kLargeTail, 0};
  Descriptor descriptor = map_.get(page);
  if (descriptor.kind == PageKind::kSlab && descriptor.value < kClassCount) {
    descriptor.value = class_capacity(descriptor.value) - map_.slab(page).used;
  }
  return descriptor;
}

std::uint32_t Allocator::believed(std::uint32_t page) const {
  if (planted_.has(Bug::kHeapFreeListOutsideCommit) && page < trusted_.size()) return trusted_[page];
  return descriptor_with_free_blocks(page).pack();
}

std::vector<std::uint32_t> Allocator::free_table() const {
  std::vector<std::uint32_t> table(page_count_);
  for (std::uint32_t page = 0; page < page_count_; ++page)
    table[page] = descriptor_with_free_blocks(page).pack();
  return table;
}

void Allocator::build_lists() {
  if (built_) return;
  runs_.clear();
  partial_.clear(page_count_);
  std::uint32_t free_start = 0;
  std::uint32_t free_length = 0;
  const auto end_run = [&] {
    runs_.add(free_start, free_length);
    free_length = 0;
  };
  auto huge = huge_.begin();
  for (std::uint32_t page = 0; page < page_count_; ++page) {
    while (huge != huge_.end() && page == huge->head) {
      end_run();
      page += (huge++)->pages;
    }
    if (page >= page_count_) break;
    const Descriptor descriptor = Descriptor::unpack(believed(page));
    if (descriptor.kind == PageKind::kFree) {
      if (free_length++ == 0) free_start = page;
      continue;
    }
    end_run();
    if (descriptor.kind == PageKind::kSlab && descriptor.value > 0) {
      const Descriptor real = map_.get(page);
      if (real.kind == PageKind::kSlab && real.value < kClassCount) partial_.use(real.value, page);
    }
  }
  end_run();
  built_ = true;
}

Offset Allocator::allocate(std::size_t bytes) {
  build_lists();
  trusted_.clear();
  if (bytes <= kLargestSmall) return allocate_small(class_for(std::max<std::size_t>(bytes, 1)));
  const std::size_t pages = bytes / kPageSize + (bytes % kPageSize != 0);
  if (pages > kMostPages) throw OsError("allocate " + std::to_string(bytes) + " bytes", path_, ENOMEM);
  if (pages >= kExtentPages) return allocate_huge(static_cast<std::uint32_t>(pages));
  return allocate_large(static_cast<std::uint32_t>(pages));
}

Offset Allocator::allocate_small(std::size_t size_class) {
  const std::uint32_t capacity = class_capacity(size_class);
  for (;;) {
    std::uint32_t page = partial_.front(size_class);
    if (page == PartialPages::kNone) page = take_slab_page(size_class);
    SlabHeader& slab = map_.slab(page);
    const std::uint32_t index = first_free(slab, capacity);
    if (index == capacity) {  // only where the lists are wrong on purpose
      partial_.remove(size_class, page);
      continue;
    }
    flip(slab, index);
    if (++slab.used == capacity) partial_.remove(size_class, page);
    const std::size_t inside = offset_in_slab(index, size_class);
    std::memset(map_.page(page) + inside, 0, class_size(size_class));
    return offset_of(page, inside);
  }
}

std::uint32_t Allocator::take_slab_page(std::size_t size_class) {
  std::uint32_t page = 0;
  while (page == 0 && !recent_.empty()) {
    const std::uint32_t candidate = recent_.back();
    recent_.pop_back();
    if (!runs_.contains(candidate)) continue;
    runs_.take_at(candidate, 1);
    page = candidate;
  }
  if (page == 0) {
    auto found = runs_.take(1);
    if (!found) {
      grow_for(1);
      found = runs_.take(1);
    }
    page = *found;
  }
  fresh_from_ = std::max(fresh_from_, page + 1);
  SlabHeader& slab = map_.slab(page);
  std::memset(&slab, 0, sizeof slab);
  slab.magic = kSlabMagic;
  slab.size_class = static_cast<std::uint16_t>(size_class);
  map_.set(page, {PageKind::kSlab, static_cast<std::uint32_t>(size_class)});
  partial_.use(size_class, page);
  return page;
}

Offset Allocator::allocate_large(std::uint32_t pages) {
  auto found = runs_.take(pages);
  if (!found) {
    grow_for(pages);
    found = runs_.take(pages);
  }
  zero(*found, pages);
  map_.set(*found, {PageKind::kLargeHead, pages});
  for (std::uint32_t i = 1; i < pages; ++i) map_.set(*found + i, {PageKind::kLargeTail, 0});
  return offset_of(*found);
}

bool Allocator::extent_is_free(std::uint32_t extent) const {
  const std::uint32_t first = PageMap::first_usable(extent);
  if (first >= page_count_) return !covered(extent * kExtentPages);
  return runs_.length_at(first) == std::min(PageMap::extent_end(first), page_count_) - first;
}

Offset Allocator::allocate_huge(std::uint32_t pages) {
  std::uint32_t extent = 0;
  std::uint32_t extents = 0;
  for (std::uint32_t candidate = 0;; ++candidate) {
    if (!extent_is_free(candidate)) {
      extents = 0;
      continue;
    }
    if (extents++ == 0) extent = candidate;
    const std::uint64_t end = std::uint64_t{candidate + 1} * kExtentPages;
    if (end - PageMap::first_usable(extent) >= pages) {
      if (end > page_count_) grow_to(end);
      break;
    }
  }
  const std::uint32_t head = PageMap::first_usable(extent);
  const std::uint32_t length = (extent + extents) * kExtentPages - head;
  for (std::uint32_t i = 0; i < extents; ++i) {
    const std::uint32_t first = PageMap::first_usable(extent + i);
    runs_.take_at(first, PageMap::extent_end(first) - first);
  }
  zero(head, length);
  map_.set(head, {PageKind::kLargeHead, length});
  for (std::uint32_t page = head + 1; page < PageMap::extent_end(head); ++page) {
    map_.set(page, {PageKind::kLargeTail, 0});
  }
  const HugeRun run{head, length};
  huge_.insert(std::upper_bound(huge_.begin(), huge_.end(), run,
                                [](const HugeRun& a, const HugeRun& b) { return a.head < b.head; }),
               run);
  return offset_of(head);
}

void Allocator::zero(std::uint32_t page, std::uint32_t pages) {
  static constexpr std::byte zeros[kPageSize] = {};
  for (std::uint32_t i = page; i < page + pages; ++i) {
    if (i >= fresh_from_ && !PageMap::holds_descriptors(i)) continue;
    // Comparing first keeps pages that are zero already out of the next commit.
    if (std::memcmp(map_.page(i), zeros, kPageSize) != 0) std::memset(map_.page(i), 0, kPageSize);
  }
  fresh_from_ = std::max(fresh_from_, page + pages);
}

Allocator::Place Allocator::find(Offset block) const {
  const auto none = [block](const char* why) {
    throw std::invalid_argument("offset " + std::to_string(block) + " is not an allocated block: " + why);
  };
  if (block >= offset_of(page_count_)) none("it lies outside the heap");
  const auto page = static_cast<std::uint32_t>(block / kPageSize);
  const std::size_t inside = block % kPageSize;
  for (const HugeRun& run : huge_) {
    if (page > run.head && page < run.head + run.pages) none("it lies inside a larger block");
  }
  const Descriptor descriptor = map_.get(page);
  if (descriptor.kind == PageKind::kLargeHead) {
    if (inside != 0) none("it lies inside a larger block");
    return {descriptor, page, 0};
  }
  if (descriptor.kind != PageKind::kSlab) none("its page holds no block that begins there");
  const std::size_t size = class_size(descriptor.value);
  if (inside < kSlabHeaderBytes || (inside - kSlabHeaderBytes) % size != 0) none("no block begins there");
  const auto index = static_cast<std::uint32_t>((inside - kSlabHeaderBytes) / size);
  if (index >= class_capacity(descriptor.value) || !bit(map_.slab(page), index)) none("it is free");
  return {descriptor, page, index};
}

std::size_t Allocator::usable_size(Offset block) const {
  const Place place = find(block);
  if (place.descriptor.kind == PageKind::kLargeHead) return std::size_t{place.descriptor.value} * kPageSize;
  return class_size(place.descriptor.value);
}

void Allocator::release(Offset block) {
  const Place place = find(block);
  build_lists();
  trusted_.clear();
  if (place.descriptor.kind == PageKind::kLargeHead) {
    release_large(place.page, place.descriptor.value);
    return;
  }
  SlabHeader& slab = map_.slab(place.page);
  const std::size_t size_class = place.descriptor.value;
  flip(slab, place.index);
  --slab.used;
  partial_.use(size_class, place.page);
  // An empty page stays where it is the last of its class, else the next block costs a descriptor again.
  if (slab.used == 0 && partial_.next(place.page) != PartialPages::kNone) {
    partial_.remove(size_class, place.page);
    free_page(place.page);
  }
}

void Allocator::free_page(std::uint32_t page) {
  map_.set(page, {});
  runs_.add(page, 1);
  recent_.push_back(page);
}

void Allocator::release_large(std::uint32_t page, std::uint32_t pages) {
  const std::uint32_t end = page + pages;
  for (std::uint32_t i = page; i < std::min(end, PageMap::extent_end(page)); ++i) map_.set(i, {});
  runs_.add(page, std::min(end, PageMap::extent_end(page)) - page);
  if (pages == 1) recent_.push_back(page);
  if (end <= PageMap::extent_end(page)) return;
  // A huge run: the extents that it covered get their descriptors back.
  std::erase_if(huge_, [page](const HugeRun& run) { return run.head == page; });
  for (std::uint32_t first = PageMap::extent_end(page); first < end; first += kExtentPages) {
    std::memset(map_.page(first), 0, kPageSize);
    map_.reserve_descriptors(first, first + 1);
    runs_.add(first + 1, kExtentPages - 1);
  }
}

void Allocator::committed() {
  if (planted_.has(Bug::kHeapGrowthCountLate)) set_page_count(page_count_);
}

}  // namespace plugpull
