#include "native/tracking/mprotect.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "native/storage/error.h"
#include "native/tracking/fault_handler.h"

namespace plugpull {
namespace {

constexpr const char* kSubject = "(changed-page tracking)";

// Pages of a table are only backed by memory once they are touched.
template <typename T>
T* grow_table(T* old, std::size_t old_count, std::size_t count) {
  void* got = old == nullptr ? ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                             : ::mremap(old, old_count * sizeof(T), count * sizeof(T), MREMAP_MAYMOVE);
  if (got == MAP_FAILED) throw OsError("mmap", kSubject, errno);
  return static_cast<T*>(got);
}

void set_protection(const ProtectedRange& range, std::size_t first, std::size_t end, int protection) {
  if (first >= end) return;
  if (::mprotect(range.base + first * kPageSize, (end - first) * kPageSize, protection) != 0) {
    throw OsError("mprotect", kSubject, errno);
  }
}

}  // namespace

MprotectTracker::MprotectTracker() : range_(std::make_unique<ProtectedRange>()) {
  add_protected_range(range_.get());
}

MprotectTracker::~MprotectTracker() {
  remove_protected_range(range_.get());
  // Whoever mapped the memory gets it back as it was.
  if (range_->pages > 0) {
    (void)::mprotect(range_->base, range_->pages * kPageSize, PROT_READ | PROT_WRITE);
  }
  if (range_->open != nullptr) ::munmap(range_->open, range_->table_pages * sizeof *range_->open);
  if (range_->changed != nullptr) ::munmap(range_->changed, range_->table_pages * sizeof *range_->changed);
}

void MprotectTracker::grow_tables(std::size_t pages) {
  if (pages <= range_->table_pages) return;
  const std::size_t room = std::max<std::size_t>(pages, 2 * range_->table_pages);
  range_->open = grow_table(range_->open, range_->table_pages, room);
  range_->changed = grow_table(range_->changed, range_->table_pages, room);
  range_->table_pages = room;
}

void MprotectTracker::arm(std::byte* base, std::size_t size) {
  const FaultLock guard;
  const std::size_t pages = size / kPageSize;
  const std::size_t known = base == range_->base ? std::min(pages, range_->pages) : 0;
  grow_tables(pages);
  // Forget what lies beyond the part that stays.
  auto* const end =
      std::remove_if(range_->changed, range_->changed + range_->changed_count, [&](std::uint32_t page) {
        if (page < known) return false;
        range_->open[page] = 0;
        return true;
      });
  range_->changed_count = static_cast<std::size_t>(end - range_->changed);
  range_->base = base;
  range_->pages = pages;
  set_protection(*range_, known, pages, PROT_READ);
}

// Protects runs of neighbours with one call each; where there are very many, everything
// between the first and the last with one.
void MprotectTracker::protect(const std::vector<std::uint32_t>& pages) {
  constexpr std::size_t kManyRuns = 256;
  std::size_t runs = 0;
  for (std::size_t i = 0; i < pages.size(); ++i) runs += i == 0 || pages[i] != pages[i - 1] + 1 ? 1 : 0;
  if (runs > kManyRuns) {
    set_protection(*range_, pages.front(), pages.back() + std::size_t{1}, PROT_READ);
    return;
  }
  for (std::size_t i = 0; i < pages.size();) {
    std::size_t end = i + 1;
    while (end < pages.size() && pages[end] == pages[end - 1] + 1) ++end;
    set_protection(*range_, pages[i], pages[end - 1] + std::size_t{1}, PROT_READ);
    i = end;
  }
}

std::vector<std::uint32_t> MprotectTracker::collect() {
  const FaultLock guard;
  std::vector<std::uint32_t> changed(range_->changed, range_->changed + range_->changed_count);
  std::sort(changed.begin(), changed.end());
  protect(changed);
  for (const std::uint32_t page : changed) range_->open[page] = 0;
  range_->changed_count = 0;
  return changed;
}

}  // namespace plugpull
