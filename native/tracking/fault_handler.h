#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace plugpull {

// A range of memory whose pages are read-only until they are written to. All members are
// guarded by FaultLock. `changed` lists the pages opened since the last collect, in order
// of their faults; `open` holds 1 for each of them.
struct ProtectedRange {
  std::byte* base = nullptr;
  std::size_t pages = 0;
  std::uint8_t* open = nullptr;
  std::uint32_t* changed = nullptr;
  std::size_t changed_count = 0;
  std::size_t table_pages = 0;  // room in the two tables
};

// Held by the signal handler while it opens a page, and by a tracker while it reads or
// re-arms: otherwise a page could be opened right after it was re-armed and be missed.
// Spins, because the handler may not sleep; all signals of the thread are blocked, so
// that no handler can ask for the lock that its own thread holds.
class FaultLock {
 public:
  FaultLock();
  ~FaultLock();
  FaultLock(const FaultLock&) = delete;
  FaultLock& operator=(const FaultLock&) = delete;

 private:
  unsigned long saved_mask_[16];
};

// Installs the handler on first use. OsError ENOMEM beyond 1024 ranges.
void add_protected_range(ProtectedRange* range);
void remove_protected_range(ProtectedRange* range);

// Makes a page writable, or where the limit of mappings forbids that, the 2 MiB around it,
// and notes the pages. False if the kernel refuses everything. The lock must be held.
bool open_page(ProtectedRange& range, std::size_t page) noexcept;

}  // namespace plugpull
