#pragma once
#include "native/tracking/tracker.h"

namespace plugpull {

// userfaultfd write-protect in async mode: the kernel notes the first write to a page by
// itself, with no fault delivered to anyone, and PAGEMAP_SCAN reads and re-arms in one
// step under the page table's lock, so that a write falls either into this collect() or
// into the next. Linux 6.7 and newer.
class PagemapTracker final : public Tracker {
 public:
  PagemapTracker();  // OsError where the kernel has it not, or does not allow it
  ~PagemapTracker() override;
  PagemapTracker(const PagemapTracker&) = delete;
  PagemapTracker& operator=(const PagemapTracker&) = delete;

  std::string_view name() const override { return "pagemap"; }
  void arm(std::byte* base, std::size_t size) override;
  std::vector<std::uint32_t> collect() override;

 private:
  int userfaultfd_ = -1;
  int pagemap_ = -1;
  std::byte* base_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace plugpull
