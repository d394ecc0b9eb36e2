// Do the volatile lists say the same as the pages?
#include "native/heap/allocator.h"

namespace plugpull {

void Allocator::check_lists(std::vector<std::string>& problems) {
  // Lists that are not built yet will be built from the pages; not so where a bug has its own source.
  if (!built_ && trusted_.empty()) return;
  build_lists();
  const auto disagree = [&problems](std::uint32_t page, const char* what) {
    problems.push_back("the free lists are wrong: page " + std::to_string(page) + " " + what);
  };
  auto huge = huge_.begin();
  for (std::uint32_t page = 2; page < page_count_; ++page) {
    while (huge != huge_.end() && page == huge->head) page += (huge++)->pages;
    if (page >= page_count_) break;
    const Descriptor real = map_.get(page);
    const bool free = real.kind == PageKind::kFree;
    if (free && !runs_.contains(page)) disagree(page, "is free but not listed as free");
    if (!free && runs_.contains(page)) disagree(page, "is listed as free but in use");
    if (real.kind != PageKind::kSlab || real.value >= kClassCount) {
      if (partial_.contains(page)) disagree(page, "is listed as partly filled but is no slab");
      continue;
    }
    const bool room = map_.slab(page).used < class_capacity(real.value);
    if (room != partial_.contains(page)) {
      disagree(page, room ? "has free blocks but is not listed" : "is listed as partly filled but is full");
    } else if (page < trusted_.size() && believed(page) != descriptor_with_free_blocks(page).pack()) {
      disagree(page, "has another number of free blocks than its list says");
    }
  }
}

}  // namespace plugpull
