#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <random>
#include <stdexcept>

#include "native/test/heap_support.h"
#include "native/workloads/stl_map.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

HeapOptions fixed_heap(const TempFolder& folder) {
  HeapOptions options = heap_in(folder);
  options.fixed_address = true;
  return options;
}

using Reference = std::map<std::uint64_t, std::uint64_t>;

void check_equal(const Heap& heap, const StlMap& map, const Reference& reference) {
  const StlMap::Contents contents = map.read();
  CHECK(std::equal(contents.pairs.begin(), contents.pairs.end(), reference.begin(), reference.end(),
                   [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; }));
  CHECK(map.size() == reference.size());
  CHECK(joined(heap.verify(&contents.blocks)) == "");
}

}  // namespace

TEST_CASE("a std::map in a heap agrees with one outside, over commits and reopenings") {
  const TempFolder folder;
  const HeapOptions options = fixed_heap(folder);
  std::shared_ptr<Heap> heap = create_heap(options);
  std::optional<StlMap> map(heap);
  Reference reference;
  Reference committed;
  heap->commit();
  std::mt19937 random(11);
  for (int step = 0; step < 6000; ++step) {
    const std::uint64_t key = random() % 700;
    if (random() % 10 < (step / 1500 % 2 == 0 ? 7U : 3U)) {
      const std::uint64_t value = random();
      map->insert(key, value);
      reference[key] = value;
    } else {
      CHECK(map->erase(key) == (reference.erase(key) > 0));
    }
    const auto found = reference.find(key);
    CHECK(map->get(key) == (found == reference.end() ? std::nullopt : std::optional(found->second)));
    if (step % 97 == 0) {
      heap->commit();
      committed = reference;
    }
    if (step % 500 == 499) {
      map.reset();
      heap.reset();
      heap = open_heap(options);
      map.emplace(heap);
      reference = committed;
      check_equal(*heap, *map, reference);
    }
  }
  check_equal(*heap, *map, reference);
}

TEST_CASE("a map that is damaged says so and never leads anywhere") {
  const TempFolder folder;
  std::shared_ptr<Heap> heap = create_heap(fixed_heap(folder));
  StlMap map(heap);
  for (std::uint64_t key = 0; key < 200; ++key) map.insert(key, key * key);
  const std::vector<Offset> blocks = map.read().blocks;
  const std::vector<std::byte> sound(heap->data(), heap->data() + heap->size());
  std::mt19937 random(3);
  int seen = 0;
  for (int round = 0; round < 3000; ++round) {
    // Words of a node, or of the map itself: links, colours, keys, counts; not values.
    const Offset block = blocks[random() % blocks.size()];
    const std::size_t word = random() % 5;
    std::uint64_t damage = random();
    if (random() % 2 == 0)
      damage = reinterpret_cast<std::uintptr_t>(heap->data() + blocks[random() % blocks.size()]);
    std::byte* place = heap->data() + block + (block == blocks[0] ? 16 : 0) + word * 8;
    if (std::memcmp(place, &damage, 8) == 0) continue;
    std::memcpy(place, &damage, 8);
    try {
      map.read();
    } catch (const std::runtime_error&) {
      ++seen;
    }
    std::memcpy(heap->data(), sound.data(), sound.size());
  }
  // Of a colour only the lower half counts, and the map's own first word is padding.
  CHECK(seen > 2700);
  CHECK(map.read().pairs.size() == 200);
}

TEST_CASE("a std::map wants a heap of its own at a fixed address") {
  const TempFolder folder;
  std::shared_ptr<Heap> anywhere = create_heap(heap_in(folder));
  CHECK_THROWS_AS(StlMap{anywhere}, std::invalid_argument);
  HeapOptions options = fixed_heap(folder);
  options.backend.path = folder.file("other.db");
  std::shared_ptr<Heap> other = create_heap(options);
  other->set_root(other->allocate(100));
  CHECK_THROWS_AS(StlMap{other}, std::runtime_error);
}
