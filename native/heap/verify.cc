#include "native/heap/verify.h"

#include <algorithm>
#include <bit>

namespace plugpull {
namespace {

constexpr std::size_t kMostProblems = 32;

std::string page_name(std::uint32_t page) { return "page " + std::to_string(page); }

class Walker {
 public:
  Walker(const PageMap& map, std::uint32_t page_count, Problems& problems)
      : map_(map), page_count_(page_count), problems_(problems) {}

  void walk() {
    if (map_.get(0).kind != PageKind::kReserved) problems_.add("page 0 is not marked as the header");
    for (std::uint32_t page = 1; page < page_count_;) page = visit(page);
    check_rest_of_last_extent();
  }

  std::vector<Block> blocks;
  std::uint64_t free_pages = 0;

 private:
  // Returns the next page to visit.
  std::uint32_t visit(std::uint32_t page) {
    const Descriptor descriptor = map_.get(page);
    if (PageMap::holds_descriptors(page)) {
      if (descriptor.kind != PageKind::kReserved)
        problems_.add(page_name(page) + " is not marked as descriptors");
      return page + 1;
    }
    switch (descriptor.kind) {
      case PageKind::kFree:
        ++free_pages;
        if (descriptor.value != 0) problems_.add(page_name(page) + " is free but its descriptor is not zero");
        return page + 1;
      case PageKind::kSlab:
        visit_slab(page, descriptor.value);
        return page + 1;
      case PageKind::kLargeHead:
        return visit_large(page, descriptor.value);
      case PageKind::kLargeTail:
        problems_.add(page_name(page) + " belongs to a large block that does not begin anywhere");
        return page + 1;
      case PageKind::kReserved:
        problems_.add(page_name(page) + " is marked as reserved but holds no descriptors");
        return page + 1;
    }
    problems_.add(page_name(page) + " has a descriptor of no known kind");
    return page + 1;
  }

  void visit_slab(std::uint32_t page, std::uint32_t size_class) {
    if (size_class >= kClassCount) {
      problems_.add(page_name(page) + " has size class " + std::to_string(size_class) +
                    ", which does not exist");
      return;
    }
    const SlabHeader& slab = map_.slab(page);
    if (slab.magic != kSlabMagic || slab.size_class != size_class) {
      problems_.add(page_name(page) + " is marked as a slab of class " + std::to_string(size_class) +
                    " but its own header says otherwise");
      return;
    }
    const std::uint32_t capacity = class_capacity(size_class);
    const std::size_t size = class_size(size_class);
    std::uint32_t used = 0;
    bool outside = false;
    for (std::uint32_t word = 0; word < 4; ++word) {
      for (std::uint64_t bits = slab.bitmap[word]; bits != 0; bits &= bits - 1) {
        const std::uint32_t index = word * 64 + std::countr_zero(bits);
        ++used;
        if (index >= capacity) {
          outside = true;
        } else {
          blocks.push_back({Offset{page} * kPageSize + kSlabHeaderBytes + index * size, size});
        }
      }
    }
    if (outside) problems_.add(page_name(page) + " marks blocks beyond its end as allocated");
    if (used != slab.used) {
      problems_.add(page_name(page) + " counts " + std::to_string(slab.used) +
                    " allocated blocks, its bitmap has " + std::to_string(used));
    }
  }

  std::uint32_t visit_large(std::uint32_t page, std::uint32_t pages) {
    const std::uint64_t end = std::uint64_t{page} + pages;
    if (pages == 0 || end > page_count_) {
      problems_.add(page_name(page) + " begins a large block of " + std::to_string(pages) +
                    " pages, which ends outside the heap");
      return page + 1;
    }
    const std::uint32_t extent_end = PageMap::extent_end(page);
    const bool huge = end > extent_end;
    if (huge && (page != PageMap::first_usable(page / kExtentPages) || end % kExtentPages != 0)) {
      problems_.add(page_name(page) +
                    " begins a large block that overlaps the descriptors of the next extent");
      return page + 1;
    }
    for (std::uint32_t i = page + 1; i < std::min<std::uint64_t>(end, extent_end); ++i) {
      if (map_.get(i).kind == PageKind::kLargeTail) continue;
      problems_.add("blocks overlap: " + page_name(i) + " lies in the large block that begins at " +
                    page_name(page) + " and is used for something else too");
      return i;
    }
    blocks.push_back({Offset{page} * kPageSize, std::uint64_t{pages} * kPageSize});
    return static_cast<std::uint32_t>(end);
  }

  void check_rest_of_last_extent() {
    // A huge run at the end owns its last extents whole: there is no rest then.
    const std::uint32_t end = page_count_ < 2 ? kExtentPages : PageMap::extent_end(page_count_ - 1);
    for (std::uint32_t page = page_count_; page < end; ++page) {
      if (map_.get(page).pack() == 0) continue;
      problems_.add(page_name(page) + " lies behind the end of the heap but is not marked as free");
      return;
    }
  }

  const PageMap& map_;
  std::uint32_t page_count_;
  Problems& problems_;
};

}  // namespace

void Problems::add(std::string problem) {
  if (list_.size() < kMostProblems) {
    list_.push_back(std::move(problem));
  } else {
    ++more_;
  }
}

std::vector<std::string> Problems::take() {
  if (more_ > 0) list_.push_back("… and " + std::to_string(more_) + " more");
  more_ = 0;
  return std::move(list_);
}

std::vector<Block> walk_pages(const PageMap& map, std::uint32_t page_count, Problems& problems,
                              std::uint64_t& free_pages) {
  Walker walker(map, page_count, problems);
  walker.walk();
  free_pages = walker.free_pages;
  return std::move(walker.blocks);
}

void check_reachable(const std::vector<Block>& blocks, std::vector<Offset> reachable, Problems& problems) {
  if (!std::is_sorted(reachable.begin(), reachable.end())) std::sort(reachable.begin(), reachable.end());
  auto block = blocks.begin();
  Offset before = 0;
  for (const Offset offset : reachable) {
    const std::string name = "block " + std::to_string(offset);
    if (offset == before && offset != 0) {
      problems.add("blocks overlap: " + name + " is reached twice");
      continue;
    }
    before = offset;
    for (; block != blocks.end() && block->offset < offset; ++block) {
      problems.add("leak: block " + std::to_string(block->offset) + " (" + std::to_string(block->bytes) +
                   " bytes) is allocated but nothing reaches it");
    }
    if (block == blocks.end() || block->offset != offset) {
      problems.add(name + " is reached but not allocated: the next allocation may overlap it");
    } else {
      ++block;
    }
  }
  for (; block != blocks.end(); ++block) {
    problems.add("leak: block " + std::to_string(block->offset) + " (" + std::to_string(block->bytes) +
                 " bytes) is allocated but nothing reaches it");
  }
}

}  // namespace plugpull
