#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "native/explore/explorer.h"
#include "native/fams/backend.h"
#include "native/heap/heap.h"
#include "native/model/model_storage.h"

namespace plugpull::test {

// A small bank in a heap: accounts whose sum never changes, and blocks that come and go, deterministic in its
// seed. Recorded over the storage model, and checked in crash states.
struct Bank {
  std::string backend = "redo";
  PlantedBugs planted{};
  std::string profile = "posix";
  std::uint32_t seed = 1;
  std::size_t heap_bytes = 16 * kPageSize;
  std::size_t log_bytes = 0;
  unsigned commits = 3;
  unsigned accounts = 600;  // 8 bytes each
  unsigned transfers = 2;
  bool grows = false;         // a block of several pages comes and goes too
  bool read_only = false;     // how a crash state is opened
  unsigned reopen_every = 0;  // closes and opens the heap after so many commits
};

enum BankVerdict : unsigned { kHeld, kLost, kTorn, kPhantom, kUnrecoverable, kBroken };

class BankRun {
 public:
  explicit BankRun(const Bank& bank);
  const Trace& trace() const { return storage_.trace(); }
  const Profile& profile() const { return storage_.profile(); }
  // Recovers, verifies the heap, compares with the state after the acked commit and the next.
  unsigned check(CrashView& view, const StateInfo& info);
  Check checker() {
    return [this](CrashView& view, const StateInfo& info) { return check(view, info); };
  }
  // What was wrong in the last state, for people.
  std::string reason;

 private:
  void change(Heap& heap, unsigned k);
  Bank bank_;
  ModelStorage storage_;
  std::vector<std::vector<std::uint64_t>> states_;
};

}  // namespace plugpull::test
