#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "native/fams/backend.h"

namespace plugpull {

// Finds the pages of [base, base + size) that were changed since the last arm().
class Tracker {
 public:
  virtual ~Tracker() = default;
  virtual std::string_view name() const = 0;
  // From now on every page in the range counts as unchanged. Called after mapping, and after
  // a change of size: then pages that were in the range before keep what is known about
  // them (other threads may be writing there), and those beyond the new end are forgotten.
  virtual void arm(std::byte* base, std::size_t size) = 0;
  // Page numbers changed since, ascending; the pages count as unchanged again at once
  // (a change after this call belongs to the next collect). May name a page too many, never one too few.
  virtual std::vector<std::uint32_t> collect() = 0;
};

// kAuto takes the best that the kernel has: pagemap (userfaultfd write-protect in async
// mode and PAGEMAP_SCAN) for ranges up to 64 MiB, where a scan costs less than faults;
// mprotect and SIGSEGV above that, whose cost follows the changed pages alone.
std::unique_ptr<Tracker> make_tracker(TrackerKind kind, std::size_t size);
bool pagemap_scan_available() noexcept;

}  // namespace plugpull
