#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <random>

#include "native/heap/page_map.h"
#include "native/test/heap_support.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

struct Sample {
  TempFolder folder;
  std::unique_ptr<Heap> heap = create_heap(heap_in(folder));
  PageMap map{heap->data()};
  std::vector<Offset> blocks;
  Offset large = 0;

  Sample() {
    for (int i = 0; i < 30; ++i) blocks.push_back(heap->allocate(300));
    large = heap->allocate(3 * kPageSize);
    blocks.push_back(large);
    heap->set_root(blocks[0]);
  }
  std::uint32_t slab() const { return static_cast<std::uint32_t>(blocks[0] / kPageSize); }
  std::uint32_t head() const { return static_cast<std::uint32_t>(large / kPageSize); }
};

// What the check says after `damage`.
std::string seen(const std::function<void(Sample&)>& damage) {
  Sample sample;
  REQUIRE(joined(sample.heap->verify(&sample.blocks)) == "");
  damage(sample);
  return joined(sample.heap->verify(&sample.blocks));
}

bool says(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

}  // namespace

TEST_CASE("the integrity check names what is wrong") {
  CHECK(says(seen([](Sample& s) { s.map.set(0, {}); }), "page 0 is not marked"));
  CHECK(says(seen([](Sample& s) { s.map.set(1, {}); }), "page 1 is not marked as descriptors"));
  CHECK(says(seen([](Sample& s) {
               s.map.set(s.slab(), {PageKind::kSlab, 3});
             }),
             "its own header says otherwise"));
  CHECK(says(seen([](Sample& s) { s.map.set(s.slab(), {PageKind::kSlab, 99}); }), "which does not exist"));
  CHECK(says(seen([](Sample& s) { s.map.set(s.slab(), {}); }), "is reached but not allocated"));
  CHECK(says(seen([](Sample& s) { s.map.slab(s.slab()).used--; }), "its bitmap has"));
  CHECK(says(seen([](Sample& s) { s.map.slab(s.slab()).bitmap[3] |= 1; }), "beyond its end"));
  CHECK(says(seen([](Sample& s) { s.map.slab(s.slab()).magic = 0; }), "its own header says otherwise"));
  CHECK(says(seen([](Sample& s) {
               s.map.set(s.head(), {PageKind::kLargeHead, 100000});
             }),
             "ends outside the heap"));
  CHECK(says(seen([](Sample& s) {
               s.map.set(s.head(), {PageKind::kLargeHead, 0});
             }),
             "ends outside the heap"));
  CHECK(says(seen([](Sample& s) { s.map.set(s.head() + 1, {PageKind::kLargeHead, 1}); }), "blocks overlap"));
  CHECK(says(seen([](Sample& s) { s.map.set(s.head(), {}); }), "does not begin anywhere"));
  CHECK(says(seen([](Sample& s) {
               s.map.set(s.head() + 5, {PageKind::kReserved, 0});
             }),
             "marked as reserved"));
  CHECK(says(seen([](Sample& s) {
               s.map.set(s.head() + 5, {static_cast<PageKind>(9), 0});
             }),
             "no known kind"));
  CHECK(says(seen([](Sample& s) {
               s.map.set(s.head() + 5, {PageKind::kFree, 7});
             }),
             "descriptor is not zero"));
  CHECK(says(seen([](Sample& s) { s.map.set(500, {PageKind::kSlab, 0}); }), "behind the end of the heap"));
  CHECK(says(seen([](Sample& s) { s.heap->set_root(s.blocks[0] + 16); }), "the root"));
}

TEST_CASE("leaks, doubles and strangers among the reachable blocks") {
  CHECK(says(seen([](Sample& s) { s.blocks.pop_back(); }), "leak"));
  CHECK(says(seen([](Sample& s) { s.blocks.erase(s.blocks.begin() + 3); }), "leak"));
  CHECK(says(seen([](Sample& s) { s.blocks.push_back(s.blocks[5]); }), "reached twice"));
  CHECK(says(seen([](Sample& s) { s.blocks.push_back(s.blocks[5] + 16); }), "not allocated"));
  CHECK(says(seen([](Sample& s) { s.blocks.push_back(0); }), "not allocated"));
  CHECK(says(seen([](Sample& s) { s.blocks.push_back(~Offset{0}); }), "not allocated"));
}

TEST_CASE("the check tells when the volatile lists disagree with the pages") {
  // The lists are built by the sample's own allocations.
  CHECK(says(seen([](Sample& s) {
               s.map.set(s.head() + 5, {PageKind::kLargeHead, 1});
             }),
             "free lists are wrong"));
}

TEST_CASE("the list of problems is bounded") {
  Sample sample;
  const std::vector<Offset> nothing;
  for (int i = 0; i < 30; ++i) sample.heap->allocate(16);
  const HeapReport report = sample.heap->verify(&nothing);
  CHECK(report.problems.size() == 33);
  CHECK(report.problems.back() == "… and 29 more");
}

TEST_CASE("the check survives any garbage") {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    Sample sample;
    const std::size_t from = kPageSize / 4 + random() % (8 * kPageSize);
    for (int i = 0; i < 40; ++i) {
      // Not the header, which is checked by open.
      sample.heap->data()[kPageSize + (from + random() % 5000) % (10 * kPageSize)] =
          static_cast<std::byte>(random());
    }
    for (int i = 0; i < 10; ++i) {
      sample.map.set(2 + random() % 14, Descriptor::unpack(static_cast<std::uint32_t>(random())));
    }
    const HeapReport report = sample.heap->verify(&sample.blocks);
    CHECK(!report.problems.empty());
  }
}
