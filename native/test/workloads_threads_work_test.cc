#include <doctest/doctest.h>

#include <stdexcept>

#include "native/test/heap_support.h"
#include "native/test/threads_model.h"

using namespace plugpull;
using namespace plugpull::test;

TEST_CASE("each commit of the threads holds exactly its batches") {
  for (const TrackerKind tracker : {TrackerKind::kAuto, TrackerKind::kMprotect, TrackerKind::kCompare}) {
    for (const std::uint32_t threads : {1U, 3U, 8U}) {
      const TempFolder folder;
      HeapOptions options = heap_in(folder);
      options.backend.tracker = tracker;
      ThreadsPlan plan{.threads = threads, .slots = 5000, .seed = 9, .writes = 40};
      for (std::uint32_t run = 0; run < 3; ++run) {
        const bool fresh = run == 0;
        const std::shared_ptr<Heap> heap = fresh ? create_heap(options) : open_heap(options);
        if (fresh) {
          plan.array = heap->allocate(plan.slots * sizeof(std::uint32_t));
          heap->commit();
        }
        CHECK(read_slots(*heap, plan) == modelled_slots(ThreadsPlan{plan}, 10 * run));
        ThreadsPlan next = plan;
        next.from = 10 * run;
        ThreadsWork work(heap, next);
        for (std::uint32_t k = next.from + 1; k <= next.from + 10; ++k) work.commit(k);
        work.stop();  // leaves a batch behind that no commit has
      }
    }
  }
}

TEST_CASE("threads refuse wrong plans and wrong commits") {
  const TempFolder folder;
  const std::shared_ptr<Heap> heap = create_heap(heap_in(folder));
  const Offset array = heap->allocate(400);
  CHECK_THROWS_AS(ThreadsWork(heap, {.threads = 0, .slots = 10, .array = array}), std::invalid_argument);
  CHECK_THROWS_AS(ThreadsWork(heap, {.threads = 65, .slots = 10, .array = array}), std::invalid_argument);
  CHECK_THROWS_AS(ThreadsWork(heap, {.threads = 2, .slots = 101, .array = array}), std::invalid_argument);
  CHECK_THROWS_AS(ThreadsWork(heap, {.threads = 2, .slots = 10, .array = array + 4}), std::invalid_argument);
  ThreadsWork work(heap, {.threads = 4, .slots = 3, .array = array, .from = 7});
  CHECK_THROWS_AS(work.commit(1), std::invalid_argument);
  work.commit(8);
  CHECK_THROWS_AS(work.commit(8), std::invalid_argument);
  work.commit(9);
  work.stop();
  CHECK_THROWS_AS(work.commit(10), std::logic_error);
}
