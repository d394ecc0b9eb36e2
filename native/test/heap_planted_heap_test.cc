#include <doctest/doctest.h>

#include <sys/stat.h>

#include <optional>
#include <utility>

#include "native/fams/step.h"
#include "native/process/folders.h"
#include "native/test/heap_support.h"
#include "native/test/threads_model.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

// Copies the files at the first step that begins with `prefix`: what a kill there leaves.
class Snapshot final : public StepObserver {
 public:
  Snapshot(std::string prefix, std::string from, std::string to)
      : prefix_(std::move(prefix)),
        from_(std::move(from)),
        to_(std::move(to)),
        before_(observe_steps(this)) {}
  ~Snapshot() override { observe_steps(before_); }
  void at(std::string_view step) override {
    if (taken_ || step.substr(0, prefix_.size()) != prefix_) return;
    taken_ = true;
    copy_folder(from_, to_);
  }
  bool taken() const { return taken_; }

 private:
  std::string prefix_;
  std::string from_;
  std::string to_;
  StepObserver* before_;
  bool taken_ = false;
};

// A list of blocks as an application keeps it: the root block holds their offsets.
constexpr std::size_t kSlots = 100;

std::vector<Offset> reachable(const Heap& heap) {
  std::vector<Offset> found;
  if (heap.root() == 0) return found;
  found.push_back(heap.root());
  const auto* slots = reinterpret_cast<const Offset*>(heap.data() + heap.root());
  for (std::size_t i = 0; i < kSlots; ++i) {
    if (slots[i] != 0) found.push_back(slots[i]);
  }
  return found;
}

void change(Heap& heap, std::size_t round) {
  if (heap.root() == 0) heap.set_root(heap.allocate(kSlots * sizeof(Offset)));
  for (std::size_t i = round % 3; i < kSlots; i += 3) {
    auto* slots = reinterpret_cast<Offset*>(heap.data() + heap.root());
    if (slots[i] == 0) {
      slots[i] = heap.allocate(i % 7 == 0 ? 3 * kPageSize : 200);
    } else {
      heap.release(std::exchange(slots[i], 0));
    }
  }
}

// Runs a few commits with a bug, "crashes" in the last one at `step`, recovers, and says what is wrong.
std::string crash_and_check(std::optional<Bug> bug, const char* step, int rounds) {
  const TempFolder place;
  const std::string live = place.file("live");
  const std::string crashed = place.file("crashed");
  REQUIRE(::mkdir(live.c_str(), 0700) == 0);
  HeapOptions options;
  options.layout = "planted/1";
  options.backend.path = live + "/heap.db";
  options.backend.size = 16 * kPageSize;
  if (bug) options.backend.planted = PlantedBugs(*bug);
  {
    const auto heap = create_heap(options);
    for (int round = 0; round < rounds; ++round) {
      change(*heap, static_cast<std::size_t>(round));
      if (round + 1 < rounds) heap->commit();
    }
    const Snapshot snapshot(step, live, crashed);
    heap->commit();
    REQUIRE(snapshot.taken());
  }
  options.backend.path = crashed + "/heap.db";
  try {
    const auto heap = open_heap(options);
    const std::vector<Offset> blocks = reachable(*heap);
    return joined(heap->verify(&blocks));
  } catch (const FormatError& error) {
    return error.what();
  }
}

bool says(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

constexpr const char* kBefore = "redo.commit.captured";
constexpr const char* kAfter = "redo.commit.log-synced";

}  // namespace

TEST_CASE("without a planted bug every crash is recovered from") {
  for (int rounds = 2; rounds < 12; ++rounds) {
    CHECK(crash_and_check(std::nullopt, kBefore, rounds) == "");
    CHECK(crash_and_check(std::nullopt, kAfter, rounds) == "");
  }
}

TEST_CASE("planted: the free list lies outside the commit") {
  CHECK(says(crash_and_check(Bug::kHeapFreeListOutsideCommit, kBefore, 5), "the free lists are wrong"));
  // Where the commit got through, file and heap agree.
  CHECK(crash_and_check(Bug::kHeapFreeListOutsideCommit, kAfter, 5) == "");
}

TEST_CASE("planted: blocks are marked after the commit") {
  CHECK(says(crash_and_check(Bug::kHeapMarkedAfterCommit, kAfter, 3), "is reached but not allocated"));
}

TEST_CASE("planted: released blocks are given back after the commit") {
  CHECK(says(crash_and_check(Bug::kHeapReleasedAfterCommit, kAfter, 5), "leak"));
}

TEST_CASE("planted: the page count is written after the commit") {
  CHECK(says(crash_and_check(Bug::kHeapGrowthCountLate, kAfter, 1), "the header counts 16 pages"));
}

TEST_CASE("planted: every opening changes the file") {
  const TempFolder place;
  REQUIRE(::mkdir(place.file("a").c_str(), 0700) == 0);
  HeapOptions options;
  options.layout = "planted/1";
  options.backend.path = place.file("a") + "/heap.db";
  options.backend.size = 16 * kPageSize;
  {
    const auto heap = create_heap(options);
    change(*heap, 0);
    heap->commit();
  }
  open_heap(options);
  copy_folder(place.file("a"), place.file("b"));
  open_heap(options);
  CHECK(!compare_folders(place.file("a"), place.file("b")).has_value());
  options.backend.planted = PlantedBugs(Bug::kHeapOpenCountInPlace);
  open_heap(options);
  CHECK(says(*compare_folders(place.file("a"), place.file("b")), "heap.db differs"));
}

TEST_CASE("planted: writers go on before the commit has captured") {
  const auto torn = [](std::optional<Bug> bug) {
    const TempFolder folder;
    HeapOptions options = heap_in(folder);
    if (bug) options.backend.planted = PlantedBugs(*bug);
    ThreadsPlan plan{.threads = 4, .slots = 4096, .seed = 3, .writes = 64};
    {
      const std::shared_ptr<Heap> heap = create_heap(options);
      plan.array = heap->allocate(plan.slots * sizeof(std::uint32_t));
      heap->set_root(plan.array);
      heap->commit();
      ThreadsWork work(heap, plan);
      for (std::uint32_t k = 1; k <= 4; ++k) work.commit(k);
    }
    const auto heap = open_heap(options);
    return read_slots(*heap, plan) != modelled_slots(plan, 4);
  };
  CHECK(!torn(std::nullopt));
  bool seen = false;
  for (int i = 0; i < 50 && !seen; ++i) seen = torn(Bug::kHeapWritersReleasedEarly);
  CHECK(seen);
}
