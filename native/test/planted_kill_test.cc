// Planted bugs that need no power cut: each must be seen here, or it plants nothing.
#include <doctest/doctest.h>

#include <cerrno>
#include <set>
#include <string>

#include "native/planted/planted.h"
#include "native/storage/error.h"
#include "native/storage/faulty.h"
#include "native/storage/posix.h"
#include "native/test/fams_support.h"

namespace plugpull::test {
namespace {

BackendOptions planted(const BugInfo& bug, const std::string& folder = "") {
  BackendOptions options = script::options(folder);
  options.planted = PlantedBugs(bug.id);
  return options;
}

// Changes the heap during the flush of every commit, as other threads may; the changes
// belong to the next commit. True if a reopened heap is not what was committed last.
bool is_torn_by_writing_during_flush(const BackendKind& kind, const BackendOptions& options) {
  auto heap = kind.create(posix_storage(), options);
  std::byte* const data = heap->data();
  std::byte committed{};
  for (int k = 1; k <= 4; ++k) {
    committed = data[0];
    heap->commit(
        [](void* data) {
          for (std::size_t page = 0; page < 4; ++page)
            static_cast<std::byte*>(data)[page * kPageSize] ^= std::byte{1};
        },
        data);
  }
  heap.reset();
  heap = kind.open(posix_storage(), options);
  for (std::size_t page = 0; page < 4; ++page) {
    if (heap->data()[page * kPageSize] != committed) return true;
  }
  return false;
}

// Commits with one call of `operation` failing (or cut short). True if a commit that said
// it was done is not there afterwards; a flush that fails drops what was written, as
// Linux does.
bool lies_about_an_error(const BackendKind& kind, const BackendOptions& options, const FaultPlan& plan) {
  FaultyStorage storage(posix_storage(), plan);
  std::uint64_t acked = 0;
  try {
    auto heap = kind.create(storage, options);
    for (std::uint64_t k = 1; k <= 4; ++k) {
      script::change(*heap, k);
      heap->commit();
      acked = k;
      if (storage.fired() && plan.operation == "datasync") return true;
    }
  } catch (const OsError&) {
    // It said so.
  }
  BackendOptions right = options;
  right.planted = {};
  try {
    return kind.open(posix_storage(), right)->sequence() < acked;
  } catch (const FormatError&) {
    return true;
  }
}

bool has_prefix(std::string_view text, std::string_view prefix) { return text.starts_with(prefix); }

}  // namespace

TEST_CASE("planted: the list is complete and consistent") {
  std::set<std::string_view> names;
  std::set<std::string_view> subjects;
  int kill = 0;
  for (const BugInfo& bug : all_bugs()) {
    CAPTURE(bug.name);
    CHECK(names.insert(bug.name).second);
    subjects.insert(bug.subject);
    CHECK(has_prefix(bug.name, std::string(bug.subject) + "."));
    CHECK((bug.subject == "heap" || backend_by_name(bug.subject) != nullptr));
    CHECK(bug_by_name(bug.name) == bug.id);
    CHECK((bug.figure_class >= 1 && bug.figure_class <= 22));
    CHECK(!bug.workload.empty());
    CHECK(!bug.summary.empty());
    kill += bug.seen_by == SeenBy::kKill ? 1 : 0;
  }
  CHECK(names.size() >= 30);
  CHECK(kill >= 8);
  CHECK(subjects == std::set<std::string_view>{"redo", "journal", "snap", "copy", "heap"});
  CHECK(!bug_by_name("redo.no-such-bug").has_value());
  CHECK(seen_by_name(SeenBy::kKill) == "kill");
}

TEST_CASE("planted: nothing is planted unless an object is opened with it") {
  const PlantedBugs none;
  for (const BugInfo& bug : all_bugs()) {
    CHECK(!none.has(bug.id));
    for (const BugInfo& other : all_bugs()) CHECK(PlantedBugs(bug.id).has(other.id) == (bug.id == other.id));
  }
}

TEST_CASE("planted: every bug that a kill can show is shown by a kill" * doctest::test_suite("forks")) {
  for (const BugInfo& bug : all_bugs()) {
    const BackendKind* kind = backend_by_name(bug.subject);
    if (kind == nullptr || bug.seen_by != SeenBy::kKill || folder_for(*kind).empty()) continue;
    CAPTURE(bug.name);
    if (bug.workload == "threads") {
      const TempFolder folder(folder_for(*kind));
      BackendOptions right = script::options(folder.path());
      right.path += "-right";
      CHECK(is_torn_by_writing_during_flush(*kind, planted(bug, folder.path())));
      CHECK(!is_torn_by_writing_during_flush(*kind, right));
    } else {
      CHECK(!sweep_kills(*kind, planted(bug), true).violations.empty());
    }
  }
}

TEST_CASE("planted: every bug that an error can show is shown by an error") {
  for (const BugInfo& bug : all_bugs()) {
    const BackendKind* kind = backend_by_name(bug.subject);
    if (kind == nullptr || bug.seen_by != SeenBy::kError) continue;
    CAPTURE(bug.name);
    const std::string operation = bug.name.find("short") != std::string_view::npos ? "pwrite" : "datasync";
    int lies = 0;
    int lies_of_right = 0;
    for (std::uint64_t nth = 1; nth <= 8; ++nth) {
      const FaultPlan plan =
          operation == "pwrite" ? FaultPlan{operation, nth, 0, 4096} : FaultPlan{operation, nth, EIO, {}};
      const TempFolder one;
      const TempFolder two;
      lies += lies_about_an_error(*kind, planted(bug, one.path()), plan) ? 1 : 0;
      lies_of_right += lies_about_an_error(*kind, script::options(two.path()), plan) ? 1 : 0;
    }
    CHECK(lies > 0);
    CHECK(lies_of_right == 0);
  }
}

}  // namespace plugpull::test
