#pragma once
#include "native/tracking/tracker.h"

namespace plugpull {

struct ProtectedRange;  // what the signal handler sees

// Read-only pages and a SIGSEGV handler. A fault costs about 8 µs, a commit costs only
// what was changed, whatever the size of the heap. One handler serves all heaps and
// threads of the process; faults elsewhere go to the handler that was there before.
// Memory of the heap cannot be handed to a system call that writes (it returns EFAULT).
class MprotectTracker final : public Tracker {
 public:
  MprotectTracker();
  ~MprotectTracker() override;
  MprotectTracker(const MprotectTracker&) = delete;
  MprotectTracker& operator=(const MprotectTracker&) = delete;

  std::string_view name() const override { return "mprotect"; }
  void arm(std::byte* base, std::size_t size) override;
  std::vector<std::uint32_t> collect() override;

 private:
  void grow_tables(std::size_t pages);
  void protect(const std::vector<std::uint32_t>& pages);

  std::unique_ptr<ProtectedRange> range_;
};

}  // namespace plugpull
