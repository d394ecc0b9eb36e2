#include "native/heap/lists.h"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <vector>

using namespace plugpull;

TEST_CASE("runs of free pages agree with a set of pages") {
  constexpr std::uint32_t kPages = 200;
  std::mt19937 random(1);
  FreeRuns runs;
  std::vector<bool> free(kPages);
  const auto longest_from = [&](std::uint32_t page) {
    std::uint32_t length = 0;
    while (page + length < kPages && free[page + length]) ++length;
    return length;
  };
  for (int step = 0; step < 20'000; ++step) {
    const std::uint32_t page = static_cast<std::uint32_t>(random() % kPages);
    const std::uint32_t length = 1 + static_cast<std::uint32_t>(random() % 6);
    if (random() % 2 == 0) {
      bool all_used = page + length <= kPages;
      for (std::uint32_t i = page; all_used && i < page + length; ++i) all_used = !free[i];
      if (!all_used) continue;
      runs.add(page, length);
      for (std::uint32_t i = page; i < page + length; ++i) free[i] = true;
    } else if (random() % 3 == 0) {
      if (longest_from(page) < length) continue;
      runs.take_at(page, length);
      for (std::uint32_t i = page; i < page + length; ++i) free[i] = false;
    } else {
      std::uint32_t expected = 0;
      while (expected < kPages && longest_from(expected) < length) ++expected;
      const auto taken = runs.take(length);
      REQUIRE(taken.value_or(kPages) == expected);
      for (std::uint32_t i = expected; taken && i < expected + length; ++i) free[i] = false;
    }
    const bool starts = free[page] && (page == 0 || !free[page - 1]);
    REQUIRE(runs.contains(page) == free[page]);
    REQUIRE(runs.length_at(page) == (starts ? longest_from(page) : 0));
    if (random() % 500 == 0) {
      runs.cut(page);
      for (std::uint32_t i = page; i < kPages; ++i) free[i] = false;
    }
  }
  // Neighbours are merged: no two runs touch.
  std::uint32_t end = 0;
  for (const auto& [start, length] : runs.all()) {
    CHECK((end == 0 || start > end));
    end = start + length;
  }
  CHECK(runs.start_of_run_ending_at(kPages + 1) == kPages + 1);
}

TEST_CASE("the page used last comes first") {
  PartialPages pages;
  pages.clear(10);
  pages.use(2, 4);
  pages.use(2, 7);
  pages.use(3, 5);
  CHECK(pages.front(2) == 7);
  pages.use(2, 4);
  CHECK(pages.front(2) == 4);
  CHECK(pages.next(4) == 7);
  CHECK(pages.next(7) == PartialPages::kNone);
  pages.remove(2, 4);
  pages.remove(2, 4);
  CHECK(!pages.contains(4));
  CHECK(pages.front(2) == 7);
  pages.remove(2, 7);
  CHECK(pages.front(2) == PartialPages::kNone);
  CHECK(pages.front(3) == 5);
  pages.grow(20);
  pages.use(3, 19);
  pages.use(3, 12);
  pages.remove(3, 19);
  CHECK(pages.next(12) == 5);
}
