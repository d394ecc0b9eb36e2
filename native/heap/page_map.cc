#include "native/heap/page_map.h"

namespace plugpull {

void PageMap::reserve_descriptors(std::uint32_t from, std::uint32_t to) const noexcept {
  const Descriptor reserved{PageKind::kReserved, 0};
  if (from == 0 && to > 1) {
    set(0, reserved);
    set(1, reserved);
  }
  const std::uint32_t first = (from + kExtentPages - 1) / kExtentPages * kExtentPages;
  for (std::uint32_t page = first == 0 ? kExtentPages : first; page < to; page += kExtentPages)
    set(page, reserved);
}

std::vector<HugeRun> PageMap::find_huge_runs(std::uint32_t page_count) const {
  std::vector<HugeRun> runs;
  std::uint32_t extent = 0;
  while (extent * kExtentPages < page_count) {
    const std::uint32_t head = first_usable(extent);
    ++extent;
    if (head >= page_count) break;
    const Descriptor descriptor = get(head);
    if (descriptor.kind != PageKind::kLargeHead || head + descriptor.value <= extent_end(head)) continue;
    const std::uint64_t end = std::uint64_t{head} + descriptor.value;
    if (end > page_count || end % kExtentPages != 0) continue;
    runs.push_back({head, descriptor.value});
    extent = static_cast<std::uint32_t>(end / kExtentPages);
  }
  return runs;
}

}  // namespace plugpull
