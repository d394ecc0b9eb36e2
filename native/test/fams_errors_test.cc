// Every call to the OS fails once, on every path of every backend.
#include <doctest/doctest.h>

#include "native/storage/error.h"
#include "native/storage/faulty.h"
#include "native/storage/posix.h"
#include "native/test/fams_support.h"

namespace plugpull::test {
namespace {

struct Life {
  std::int64_t acked = -1;
  bool failed = false;
};

// Creates, commits, checkpoints, reopens and commits again. Stops at the first OsError;
// the heap must then refuse everything with that same error.
Life live(const BackendKind& kind, Storage& storage, const BackendOptions& options) {
  constexpr std::uint64_t kCommits = 12;
  Life life;
  std::unique_ptr<Backend> heap;
  try {
    heap = kind.create(storage, options);
    life.acked = 0;
    for (std::uint64_t k = 1; k <= kCommits; ++k) {
      script::change(*heap, k);
      heap->commit();
      life.acked = static_cast<std::int64_t>(k);
      if (k == 6) heap->checkpoint();
      if (k != 9) continue;
      heap->close();
      heap = kind.open(storage, options);
    }
  } catch (const OsError&) {
    life.failed = true;
  }
  return life;
}

void check_after(const BackendKind& kind, const BackendOptions& options, const Life& life) {
  std::unique_ptr<Backend> heap;
  try {
    heap = kind.open(posix_storage(), options);
  } catch (const FormatError& error) {
    CHECK(life.acked == -1);
    CHECK(error.kind() == FormatError::Kind::kAbsent);
    // What the failed creation left behind is no obstacle.
    heap = kind.create(posix_storage(), options);
  }
  const auto sequence = static_cast<std::int64_t>(heap->sequence());
  CHECK(sequence >= life.acked);
  CHECK(sequence <= life.acked + 1);
  if (kind.failure_atomic) CHECK(script::holds(*heap, heap->sequence()));
  script::change(*heap, heap->sequence() + 1);
  heap->commit();
  if (kind.failure_atomic) CHECK(script::holds(*heap, heap->sequence()));
}

template <typename Body>
void for_runnable(Body body) {
  for (const BackendKind& kind : all_backends()) {
    const std::string parent = folder_for(kind);
    if (parent.empty()) continue;
    CAPTURE(kind.name);
    body(kind, parent);
  }
}

}  // namespace

TEST_CASE("errors: any failed call surfaces, and the heap holds the acked state or the one after it") {
  for_runnable([](const BackendKind& kind, const std::string& parent) {
    const TempFolder folder(parent);
    FaultyStorage counting(posix_storage(), {});
    REQUIRE(!live(kind, counting, script::options(folder.path())).failed);
    for (const std::string_view operation : FaultyStorage::kOperations) {
      const std::uint64_t calls = counting.calls(operation);
      for (std::uint64_t nth = 1; nth <= calls; ++nth) {
        CAPTURE(operation);
        CAPTURE(nth);
        folder.clear();
        const auto options = script::options(folder.path());
        FaultyStorage storage(posix_storage(),
                              {std::string(operation), nth, nth % 2 == 0 ? EIO : ENOSPC, {}});
        const Life life = live(kind, storage, options);
        REQUIRE(storage.fired());
        CHECK(life.failed);
        check_after(kind, options, life);
      }
    }
  });
}

TEST_CASE("errors: short reads and writes are continued") {
  for_runnable([](const BackendKind& kind, const std::string& parent) {
    const TempFolder folder(parent);
    FaultyStorage counting(posix_storage(), {});
    live(kind, counting, script::options(folder.path()));
    for (const std::string operation : {"pread", "pwrite"}) {
      for (std::uint64_t nth = 1; nth <= counting.calls(operation); ++nth) {
        CAPTURE(operation);
        CAPTURE(nth);
        folder.clear();
        const auto options = script::options(folder.path());
        FaultyStorage storage(posix_storage(), {operation, nth, 0, 7});
        const Life life = live(kind, storage, options);
        REQUIRE(storage.fired());
        CHECK(!life.failed);
        CHECK(life.acked == 12);
        check_after(kind, options, life);
      }
    }
  });
}

TEST_CASE("errors: a write that goes nowhere is EIO") {
  for_runnable([](const BackendKind& kind, const std::string& parent) {
    const TempFolder folder(parent);
    FaultyStorage storage(posix_storage(), {"pwrite", 1, 0, 0});
    try {
      kind.create(storage, script::options(folder.path()));
      FAIL("nothing was thrown");
    } catch (const OsError& error) {
      CHECK(error.error() == EIO);
      CHECK(error.operation() == "pwrite");
    }
  });
}

TEST_CASE("errors: after a failed flush the heap refuses with the first error until it is opened again") {
  for_runnable([](const BackendKind& kind, const std::string& parent) {
    if (kind.name == "plain") return;
    const TempFolder folder(parent);
    const auto options = script::options(folder.path());
    const std::string operation = kind.name == "copy" || kind.name == "snap" ? "sync" : "datasync";
    FaultyStorage counting(posix_storage(), {});
    kind.create(counting, options);
    folder.clear();
    FaultyStorage storage(posix_storage(), {operation, counting.calls(operation) + 1, EIO, {}});
    auto heap = kind.create(storage, options);
    script::change(*heap, 1);
    const auto is_first_error = [&](const OsError& error) {
      return error.error() == EIO && error.operation() == operation;
    };
    for (int attempt = 0; attempt < 3; ++attempt) {
      try {
        heap->commit();
        FAIL("a failed flush was taken for a success");
      } catch (const OsError& error) {
        CHECK(is_first_error(error));
      }
    }
    CHECK_THROWS_AS(heap->checkpoint(), OsError);
    CHECK_THROWS_AS(heap->resize(20 * kPageSize), OsError);
    heap = kind.open(storage, options);
    CHECK(script::holds(*heap, heap->sequence()));
    heap->commit();
  });
}

TEST_CASE("errors: what the applier thread meets surfaces at a later commit") {
  const TempFolder folder;
  BackendOptions options = script::options(folder.path());
  options.background = true;
  const BackendKind* redo = backend_by_name("redo");
  FaultyStorage counting(posix_storage(), {});
  redo->create(counting, options);
  folder.clear();
  // The first truncate of the applier, or a write of it where the sizes are right.
  FaultyStorage storage(posix_storage(), {"truncate", counting.calls("truncate") + 1, ENOSPC, {}});
  auto heap = redo->create(storage, options);
  std::int64_t acked = 0;
  try {
    for (std::uint64_t k = 1; k <= 200; ++k) {
      script::change(*heap, k);
      heap->commit();
      acked = static_cast<std::int64_t>(k);
    }
    FAIL("the error never surfaced");
  } catch (const OsError& error) {
    CHECK(error.error() == ENOSPC);
  }
  CHECK(storage.fired());
  CHECK_THROWS_AS(heap->commit(), OsError);
  heap.reset();
  heap = redo->open(posix_storage(), options);
  CHECK(static_cast<std::int64_t>(heap->sequence()) >= acked);
  CHECK(static_cast<std::int64_t>(heap->sequence()) <= acked + 1);
  CHECK(script::holds(*heap, heap->sequence()));
}

}  // namespace plugpull::test
