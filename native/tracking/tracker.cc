#include "native/tracking/tracker.h"

#include <sys/mman.h>

#include "native/storage/error.h"
#include "native/tracking/compare.h"
#include "native/tracking/mprotect.h"
#include "native/tracking/pagemap.h"

namespace plugpull {
namespace {

// Beyond this size a scan costs more than the faults of a typical commit.
constexpr std::size_t kLargestScan = std::size_t{64} << 20U;

// Tries it out on one page: a kernel may have the calls and forbid them.
bool probe_pagemap() noexcept {
  void* page = ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  bool works = false;
  try {
    PagemapTracker tracker;
    auto* base = static_cast<std::byte*>(page);
    tracker.arm(base, kPageSize);
    const bool clean = tracker.collect().empty();
    *static_cast<volatile std::byte*>(base) = std::byte{1};
    works = clean && tracker.collect().size() == 1 && tracker.collect().empty();
  } catch (const OsError&) {
    works = false;
  }
  ::munmap(page, kPageSize);
  return works;
}

}  // namespace

bool pagemap_scan_available() noexcept {
  static const bool available = probe_pagemap();
  return available;
}

std::unique_ptr<Tracker> make_tracker(TrackerKind kind, std::size_t size) {
  switch (kind) {
    case TrackerKind::kPagemap:
      return std::make_unique<PagemapTracker>();
    case TrackerKind::kMprotect:
      return std::make_unique<MprotectTracker>();
    case TrackerKind::kCompare:
      return std::make_unique<CompareTracker>();
    case TrackerKind::kAuto:
      break;
  }
  if (size <= kLargestScan && pagemap_scan_available()) return std::make_unique<PagemapTracker>();
  return std::make_unique<MprotectTracker>();
}

}  // namespace plugpull
