// What every backend must do, with every tracker.
#include "native/fams/backend.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "native/fams/step.h"
#include "native/storage/error.h"
#include "native/storage/posix.h"
#include "native/test/fams_support.h"
#include "native/tracking/tracker.h"

namespace plugpull::test {
namespace {

constexpr TrackerKind kTrackers[] = {TrackerKind::kAuto, TrackerKind::kPagemap, TrackerKind::kMprotect,
                                     TrackerKind::kCompare};

// Calls `body` for every backend that can run here, with every tracker.
template <typename Body>
void for_all(Body body) {
  for (const BackendKind& kind : all_backends()) {
    const std::string parent = folder_for(kind);
    if (parent.empty()) continue;
    for (const TrackerKind tracker : kTrackers) {
      if (tracker == TrackerKind::kPagemap && !pagemap_scan_available()) {
        MESSAGE("skipped: tracker pagemap (this kernel does not have it, or forbids it)");
        continue;
      }
      CAPTURE(kind.name);
      CAPTURE(static_cast<int>(tracker));
      const TempFolder folder(parent);
      body(kind, script::options(folder.path(), tracker));
    }
  }
}

}  // namespace

TEST_CASE("backends: a history of commits, growth and shrinkage is there after reopening") {
  for_all([](const BackendKind& kind, const BackendOptions& options) {
    auto heap = kind.create(posix_storage(), options);
    CHECK(heap->sequence() == 0);
    CHECK(script::holds(*heap, 0));
    for (std::uint64_t k = 1; k <= 3 * script::kCommits; ++k) {
      script::change(*heap, k);
      heap->commit();
      REQUIRE(heap->sequence() == k);
      REQUIRE(script::holds(*heap, k));
      if (k % 4 == 0) heap->checkpoint();
      if (k % 3 != 0) continue;
      heap.reset();
      heap = kind.open(posix_storage(), options);
      REQUIRE(heap->sequence() == k);
      REQUIRE(script::holds(*heap, k));
    }
  });
}

TEST_CASE("backends: what was not committed is not there after reopening") {
  for_all([](const BackendKind& kind, const BackendOptions& options) {
    if (!kind.failure_atomic) return;
    auto heap = kind.create(posix_storage(), options);
    script::change(*heap, 1);
    heap->commit();
    script::change(*heap, 2);
    heap->resize(heap->size() + kPageSize);
    heap.reset();
    heap = kind.open(posix_storage(), options);
    CHECK(heap->sequence() == 1);
    CHECK(script::holds(*heap, 1));
  });
}

TEST_CASE("backends: a read-only heap recovers, and refuses to change") {
  for_all([](const BackendKind& kind, BackendOptions options) {
    auto heap = kind.create(posix_storage(), options);
    script::change(*heap, 1);
    heap->commit();
    heap.reset();
    options.read_only = true;
    heap = kind.open(posix_storage(), options);
    CHECK(script::holds(*heap, 1));
    CHECK_THROWS_AS(heap->commit(), OsError);
    CHECK_THROWS_AS(heap->resize(kPageSize), OsError);
  });
}

TEST_CASE("backends: only changed pages are written") {
  for_all([](const BackendKind& kind, const BackendOptions& options) {
    if (kind.name == "copy") return;  // writes everything, always
    auto heap = kind.create(posix_storage(), options);
    heap->data()[3 * kPageSize] = std::byte{1};
    heap->data()[7 * kPageSize + 5] = std::byte{1};
    heap->commit();
    CHECK(heap->last_commit_pages() == 2);
    heap->commit();
    CHECK(heap->last_commit_pages() == 0);
  });
}

TEST_CASE("backends: several heaps in one process do not disturb one another") {
  for_all([](const BackendKind& kind, const BackendOptions& options) {
    std::vector<std::unique_ptr<Backend>> heaps;
    const auto options_of = [&](int i) {
      BackendOptions own = options;
      own.path += std::to_string(i);
      return own;
    };
    for (int i = 0; i < 5; ++i) heaps.push_back(kind.create(posix_storage(), options_of(i)));
    for (std::uint64_t k = 1; k <= 6; ++k) {
      for (auto& heap : heaps) script::change(*heap, k);
      for (auto& heap : heaps) heap->commit();
    }
    heaps.erase(heaps.begin() + 1);
    for (auto& heap : heaps) {
      script::change(*heap, 7);
      heap->commit();
    }
    heaps.clear();
    for (int i = 0; i < 5; ++i) {
      const auto heap = kind.open(posix_storage(), options_of(i));
      CHECK(script::holds(*heap, i == 1 ? 6 : 7));
    }
  });
}

TEST_CASE("backends: the callback comes once, before the commit is done") {
  for_all([](const BackendKind& kind, const BackendOptions& options) {
    auto heap = kind.create(posix_storage(), options);
    struct Seen {
      Backend* heap;
      int calls = 0;
      std::uint64_t sequence = 99;
    } seen{heap.get()};
    heap->data()[0] = std::byte{1};
    heap->commit(
        [](void* context) {
          auto& seen = *static_cast<Seen*>(context);
          ++seen.calls;
          seen.sequence = seen.heap->sequence();
          seen.heap->data()[0] = std::byte{2};  // belongs to the next commit
        },
        &seen);
    CHECK(seen.calls == 1);
    CHECK(seen.sequence == 0);
    if (!kind.failure_atomic) return;
    heap.reset();
    heap = kind.open(posix_storage(), options);
    CHECK(heap->data()[0] == std::byte{1});
  });
}

TEST_CASE("backends: two threads write between commits and go on during the flush") {
  for_all([](const BackendKind& kind, BackendOptions options) {
    if (!kind.failure_atomic) return;
    for (const bool background : {false, true}) {
      if (background && kind.name != "redo") continue;
      CAPTURE(background);
      options.background = background;
      options.path += background ? "-b" : "";
      auto heap = kind.create(posix_storage(), options);
      std::mutex mutex;  // held by writers while they write one round, by commit() while it captures
      std::atomic<bool> stop = false;
      std::byte* const data = heap->data();
      const auto write = [&](std::size_t offset) {
        for (unsigned round = 1; !stop; ++round) {
          const std::scoped_lock lock(mutex);
          for (std::size_t page = 0; page < 12; ++page) {
            std::memcpy(data + page * kPageSize + offset, &round, sizeof round);
          }
        }
      };
      std::thread one(write, 0);
      std::thread two(write, 64);
      for (int k = 0; k < 60; ++k) {
        mutex.lock();
        heap->commit([](void* m) { static_cast<std::mutex*>(m)->unlock(); }, &mutex);
        std::this_thread::yield();
      }
      stop = true;
      one.join();
      two.join();
      heap.reset();
      heap = kind.open(posix_storage(), options);
      CHECK(heap->sequence() == 60);
      for (std::size_t page = 1; page < 12; ++page) {  // every thread's round is whole
        CHECK(std::memcmp(heap->data(), heap->data() + page * kPageSize, 4) == 0);
        CHECK(std::memcmp(heap->data() + 64, heap->data() + page * kPageSize + 64, 4) == 0);
      }
    }
  });
}

TEST_CASE("backends: wrong sizes, doubled creation and absent heaps are refused by name") {
  for_all([](const BackendKind& kind, BackendOptions options) {
    CHECK_THROWS_WITH_AS(kind.open(posix_storage(), options), doctest::Contains("there is no heap here"),
                         FormatError);
    for (const std::size_t size : {std::size_t{0}, std::size_t{100}, kPageSize + 1}) {
      BackendOptions wrong = options;
      wrong.size = size;
      CHECK_THROWS_AS(kind.create(posix_storage(), wrong), std::invalid_argument);
    }
    auto heap = kind.create(posix_storage(), options);
    CHECK_THROWS_AS(kind.create(posix_storage(), options), OsError);
    CHECK_THROWS_AS(heap->resize(heap->max_size() + kPageSize), OsError);
    CHECK_THROWS_AS(heap->resize(17), std::invalid_argument);
    heap->commit();  // still usable
    heap->close();
    CHECK_THROWS_AS(heap->commit(), OsError);
    options.path += "/below-a-file";
    CHECK_THROWS_AS(kind.create(posix_storage(), options), OsError);
  });
}

TEST_CASE("backends: the steps that are passed are the steps that are listed" *
          doctest::test_suite("forks")) {
  struct Collector final : StepObserver {
    std::set<std::string, std::less<>> names;
    void at(std::string_view step) override { names.emplace(step); }
  };
  for (const BackendKind& kind : all_backends()) {
    const std::string parent = folder_for(kind);
    if (parent.empty()) continue;
    CAPTURE(kind.name);
    const TempFolder folder(parent);
    const BackendOptions options = script::options(folder.path());
    Collector collector;
    StepObserver* const before = observe_steps(&collector);
    auto heap = kind.create(posix_storage(), options);
    for (std::uint64_t k = 1; k <= 20; ++k) {
      script::change(*heap, k);
      heap->commit();
    }
    heap->close();
    observe_steps(before);
    // Some steps of recovery are passed only after a crash: one in the middle of a commit.
    int index = 0;
    for (bool finished = false; !finished; ++index) {
      const TempFolder crashed(parent);
      const auto outcome = shared_outcome();
      finished = run_killed_at(index + 1, *outcome, [&](Outcome&) {
        auto victim = kind.create(posix_storage(), script::options(crashed.path()));
        script::change(*victim, 1);
        victim->commit();
      });
      observe_steps(&collector);
      try {
        kind.open(posix_storage(), script::options(crashed.path()));
      } catch (const FormatError& error) {
        CHECK(error.kind() == FormatError::Kind::kAbsent);
      }
      observe_steps(before);
    }
    const std::set<std::string, std::less<>> listed(kind.steps.begin(), kind.steps.end());
    CHECK(listed.size() == kind.steps.size());
    for (const auto& name : listed) CHECK_MESSAGE(collector.names.contains(name), "never passed: " << name);
    for (const auto& name : collector.names) CHECK_MESSAGE(listed.contains(name), "not listed: " << name);
    for (const auto& name : listed) CHECK(name.starts_with(std::string(kind.name) + "."));
  }
}

}  // namespace plugpull::test
