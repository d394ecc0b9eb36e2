// Growth and shrinkage of a heap, and what planted bugs do to the marks of its blocks.
#include <algorithm>
#include <cerrno>

#include "native/heap/allocator.h"
#include "native/storage/error.h"

namespace plugpull {
namespace {
constexpr std::uint64_t kGrowAtLeast = 16;
}

void Allocator::grow_for(std::uint32_t pages) {
  std::uint64_t start = runs_.start_of_run_ending_at(page_count_);
  if (PageMap::holds_descriptors(static_cast<std::uint32_t>(start))) ++start;
  const std::uint64_t extent_end = (start / kExtentPages + 1) * kExtentPages;
  if (start + pages > extent_end) start = extent_end + 1;
  grow_to(start + pages);
}

// At least `pages` in all. Doubling keeps the number of growths small.
void Allocator::grow_to(std::uint64_t pages) {
  const std::uint64_t most = std::min<std::uint64_t>(backend_.max_size() / kPageSize, kMostPages);
  if (pages > most) {
    throw OsError("grow to " + std::to_string(pages) + " pages (at most " + std::to_string(most) + ")", path_,
                  ENOMEM);
  }
  const std::uint64_t now = page_count_;
  const std::uint64_t wanted = std::max(pages, std::min(most, std::max(2 * now, now + kGrowAtLeast)));
  backend_.resize(wanted * kPageSize);
  const auto target = static_cast<std::uint32_t>(wanted);
  map_.reserve_descriptors(page_count_, target);
  partial_.grow(target);
  for (std::uint32_t page = page_count_; page < target;) {
    const std::uint32_t end = std::min(PageMap::extent_end(page), target);
    if (PageMap::holds_descriptors(page)) ++page;
    runs_.add(page, end - page);
    page = end;
  }
  page_count_ = target;
  if (!planted_.has(Bug::kHeapGrowthCountLate)) set_page_count(target);
}

void Allocator::set_page_count(std::uint32_t pages) {
  if (header().page_count == pages) return;
  header().page_count = pages;
  seal_header(header());
}

void Allocator::trim() {
  build_lists();
  for (std::size_t size_class = 0; size_class < kClassCount; ++size_class) {
    std::uint32_t page = partial_.front(size_class);
    while (page != PartialPages::kNone) {
      const std::uint32_t next = partial_.next(page);
      if (map_.slab(page).used == 0) {
        partial_.remove(size_class, page);
        free_page(page);
      }
      page = next;
    }
  }
  std::uint32_t end = page_count_;
  for (;;) {
    const std::uint32_t start = runs_.start_of_run_ending_at(end);
    if (start != end) {
      end = start;
    } else if (end > 2 && PageMap::holds_descriptors(end - 1) && !covered(end - 1)) {
      --end;
    } else {
      break;
    }
  }
  if (end == page_count_) return;
  backend_.resize(std::size_t{end} * kPageSize);
  runs_.cut(end);
  std::erase_if(recent_, [end](std::uint32_t page) { return page >= end; });
  page_count_ = end;
  fresh_from_ = std::min(fresh_from_, end);
  set_page_count(end);
}

void Allocator::mark_block(Offset block, std::uint32_t pages, bool allocated) {
  const auto page = static_cast<std::uint32_t>(block / kPageSize);
  if (pages > 0) {
    for (std::uint32_t i = 0; i < pages; ++i) {
      const Descriptor used =
          i == 0 ? Descriptor{PageKind::kLargeHead, pages} : Descriptor{PageKind::kLargeTail, 0};
      map_.set(page + i, allocated ? used : Descriptor{});
    }
    return;
  }
  SlabHeader& slab = map_.slab(page);
  const std::size_t index = (block % kPageSize - kSlabHeaderBytes) / class_size(slab.size_class);
  const std::uint64_t mask = std::uint64_t{1} << (index % 64);
  if (((slab.bitmap[index / 64] & mask) != 0) == allocated) return;
  slab.bitmap[index / 64] ^= mask;
  slab.used = static_cast<std::uint16_t>(allocated ? slab.used + 1 : slab.used - 1);
}

}  // namespace plugpull
