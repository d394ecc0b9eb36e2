// What the heap does when storage fails: whatever call it is, the error reaches the caller, the
// memory of the heap stays sound, and the files hold the last commit or the one that was under way.
#include <doctest/doctest.h>

#include <cerrno>

#include "native/storage/faulty.h"
#include "native/test/heap_support.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

// Grows, shrinks and commits until something fails. Notes how many blocks each commit holds.
struct History {
  std::vector<std::size_t> committed;
  bool failed = false;
};

History run(Storage& storage, const HeapOptions& options) {
  History history;
  std::unique_ptr<Heap> heap;
  const auto attempt = [&](auto call) {
    try {
      call();
      return true;
    } catch (const OsError& error) {
      CHECK(error.error() == ENOSPC);
      CHECK(!error.operation().empty());
      history.failed = true;
      return false;
    }
  };
  if (!attempt([&] { heap = Heap::create(storage, options); })) return history;
  std::vector<Offset> blocks;
  const auto sound = [&] { CHECK(joined(heap->verify(&blocks)) == ""); };
  for (int round = 0; round < 4 && !history.failed; ++round) {
    for (int i = 0; i < 12; ++i) {
      attempt([&] { blocks.push_back(heap->allocate(i % 3 == 0 ? 5 * kPageSize : 700)); });
      sound();
    }
    while (round == 2 && blocks.size() > 3) {
      heap->release(blocks.back());
      blocks.pop_back();
    }
    attempt([&] { heap->trim(); });
    sound();
    const bool committed = attempt([&] { heap->commit(); });
    if (!committed) CHECK_THROWS_AS(heap->commit(), OsError);
    history.committed.push_back(blocks.size());  // one that failed was under way: it may be there
    sound();
  }
  return history;
}

}  // namespace

TEST_CASE("an error of any call leaves a sound heap in memory and on disk") {
  for (const char* backend : {"redo", "journal", "copy"}) {
    for (const std::string_view operation : FaultyStorage::kOperations) {
      for (std::uint64_t nth = 1;; ++nth) {
        CAPTURE(backend);
        CAPTURE(operation);
        CAPTURE(nth);
        const TempFolder folder;
        const HeapOptions options = heap_in(folder, backend);
        FaultyStorage storage(posix_storage(), {std::string(operation), nth, ENOSPC, {}});
        const History history = run(storage, options);
        if (!storage.fired()) break;
        if (nth > 40) break;  // of the same kind
        try {
          const auto heap = open_heap(options);
          const HeapReport report = heap->verify(nullptr);
          CHECK(joined(report) == "");
          const auto& known = history.committed;
          REQUIRE(!known.empty());
          const bool newest = report.allocated_blocks == known.back();
          const bool before = known.size() > 1 && report.allocated_blocks == known[known.size() - 2];
          CHECK((newest || before));
        } catch (const FormatError& error) {
          CHECK(error.kind() == FormatError::Kind::kAbsent);
          CHECK(history.committed.size() <= 1);
        }
      }
    }
  }
}
