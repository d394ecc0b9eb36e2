#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <stdexcept>

#include "native/heap/page_map.h"
#include "native/heap/size_class.h"
#include "native/test/heap_support.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

bool all_zero(const std::byte* from, std::size_t length) {
  return std::all_of(from, from + length, [](std::byte b) { return b == std::byte{0}; });
}

// A heap beside a model of it: which blocks there are, and what is in them.
class Shadowed {
 public:
  Shadowed(const HeapOptions& options, std::uint32_t seed)
      : options_(options), heap_(create_heap(options)), random_(seed) {
    heap_->commit();
  }

  void step() {
    switch (below(100)) {
      case 0:
        reopen();
        break;
      case 1:
      case 2:
        heap_->trim();
        break;
      case 3:
      case 4:
      case 5:
      case 6:
        heap_->commit();
        committed_ = blocks_;
        break;
      case 7:
        for (int i = 0; i < 60 && !blocks_.empty(); ++i) release_one();
        break;
      default:
        // Phases of growth and of shrinkage, so that the heap is nearly full and nearly empty at times.
        if (blocks_.empty() || below(10) < (steps_ / 300 % 2 == 0 ? 6u : 4u)) {
          allocate();
        } else {
          release_one();
        }
    }
    if (++steps_ % 16 == 0) check();
  }

  void check() {
    std::vector<Offset> reachable;
    for (const auto& [offset, block] : blocks_) reachable.push_back(offset);
    const HeapReport report = heap_->verify(&reachable);
    REQUIRE_MESSAGE(report.problems.empty(), joined(report), "after step ", steps_);
    CHECK(report.allocated_blocks == blocks_.size());
    for (const auto& [offset, block] : blocks_) check_content(offset, block);
  }

 private:
  struct Block {
    std::size_t bytes;
    std::uint8_t content;
  };

  std::uint32_t below(std::uint32_t bound) { return random_() % bound; }

  std::size_t draw_size() {
    switch (below(20)) {
      case 0:
        return 4000 + below(12000);
      case 1:
        return kPageSize * (1 + below(40));
      case 2:
        return below(40) == 0 ? kPageSize * (1000 + below(1200)) : 4033;
      default:
        return 1 + below(below(2) == 0 ? 128 : 2100);
    }
  }

  void allocate() {
    const std::size_t bytes = draw_size();
    const Offset offset = heap_->allocate(bytes);
    REQUIRE(offset % 16 == 0);
    REQUIRE(heap_->usable_size(offset) >= bytes);
    REQUIRE(offset + bytes <= heap_->size());
    REQUIRE(all_zero(heap_->data() + offset, heap_->usable_size(offset)));
    const Block block{bytes, static_cast<std::uint8_t>(1 + below(255))};
    // The whole of what is usable, at its ends where it is long.
    const std::size_t usable = heap_->usable_size(offset);
    std::memset(heap_->data() + offset, block.content, std::min<std::size_t>(usable, 8192));
    heap_->data()[offset + usable - 1] = std::byte{block.content};
    blocks_[offset] = block;
  }

  void check_content(Offset offset, const Block& block) {
    const std::byte* data = heap_->data() + offset;
    const std::size_t usable = heap_->usable_size(offset);
    const std::byte content{block.content};
    REQUIRE(std::all_of(data, data + std::min<std::size_t>(usable, 8192),
                        [&](std::byte b) { return b == content; }));
    REQUIRE(data[usable - 1] == content);
  }

  void release_one() {
    auto victim = std::next(blocks_.begin(), below(static_cast<std::uint32_t>(blocks_.size())));
    check_content(victim->first, victim->second);
    heap_->release(victim->first);
    CHECK_THROWS_AS(heap_->release(victim->first), std::invalid_argument);
    blocks_.erase(victim);
  }

  void reopen() {
    heap_.reset();
    heap_ = open_heap(options_);
    blocks_ = committed_;
    check();
  }

  HeapOptions options_;
  std::unique_ptr<Heap> heap_;
  std::mt19937 random_;
  std::map<Offset, Block> blocks_;
  std::map<Offset, Block> committed_;
  int steps_ = 0;
};

}  // namespace

TEST_CASE("the allocator agrees with a model over random histories") {
  for (const char* backend : {"redo", "copy"}) {
    for (std::uint32_t seed = 1; seed <= 6; ++seed) {
      CAPTURE(backend);
      CAPTURE(seed);
      const TempFolder folder;
      Shadowed shadowed(heap_in(folder, backend), seed);
      for (int i = 0; i < 4000; ++i) shadowed.step();
      shadowed.check();
    }
  }
}

TEST_CASE("every size class fills a page and keeps its blocks apart") {
  const TempFolder folder;
  const auto heap = create_heap(heap_in(folder));
  for (std::size_t size_class = 0; size_class < kClassCount; ++size_class) {
    const std::size_t size = class_size(size_class);
    CHECK(size % 16 == 0);
    CHECK(class_for(size) == size_class);
    CHECK(class_for(size - 15) == size_class);
    std::vector<Offset> blocks;
    for (std::uint32_t i = 0; i < class_capacity(size_class); ++i) blocks.push_back(heap->allocate(size));
    for (const Offset block : blocks) CHECK(block / kPageSize == blocks[0] / kPageSize);
    CHECK(heap->allocate(size) / kPageSize != blocks[0] / kPageSize);
  }
  CHECK(joined(heap->verify(nullptr)) == "");
}

TEST_CASE("what is released since the last commit is used again first") {
  const TempFolder folder;
  const auto heap = create_heap(heap_in(folder));
  std::vector<Offset> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(heap->allocate(1000));
  heap->commit();
  heap->release(blocks[17]);
  CHECK(heap->allocate(1000) == blocks[17]);
  heap->commit();
  CHECK(heap->last_commit_pages() == 1);
}

TEST_CASE("a heap grows by doubling up to its largest size, and trims") {
  const TempFolder folder;
  HeapOptions options = heap_in(folder);
  options.backend.max_size = 100 * kPageSize;
  const auto heap = create_heap(options);
  std::vector<Offset> blocks;
  std::vector<std::size_t> sizes;
  try {
    for (;;) {
      blocks.push_back(heap->allocate(kPageSize));
      if (sizes.empty() || sizes.back() != heap->size()) sizes.push_back(heap->size());
    }
  } catch (const OsError& error) {
    CHECK(error.error() == ENOMEM);
    CHECK(error.path() == options.backend.path);
  }
  CHECK(sizes == std::vector<std::size_t>{16 * kPageSize, 32 * kPageSize, 64 * kPageSize, 100 * kPageSize});
  CHECK(blocks.size() == 98);
  CHECK(joined(heap->verify(&blocks)) == "");
  // A block that is too large for all is refused without growth.
  while (blocks.size() > 10) {
    heap->release(blocks.back());
    blocks.pop_back();
  }
  heap->trim();
  CHECK(heap->size() == 12 * kPageSize);
  CHECK_THROWS_AS(heap->allocate(std::size_t{1} << 40), OsError);
  CHECK(heap->size() == 12 * kPageSize);
  heap->commit();
  CHECK(joined(heap->verify(&blocks)) == "");
}

TEST_CASE("a block longer than an extent owns whole extents and gives them back") {
  const TempFolder folder;
  const HeapOptions options = heap_in(folder);
  auto heap = create_heap(options);
  const Offset small = heap->allocate(100);
  const Offset huge = heap->allocate(std::size_t{9} << 20);
  CHECK(huge % kPageSize == 0);
  CHECK(heap->size() % (kExtentPages * kPageSize) == 0);
  std::memset(heap->data() + huge, 0xff, heap->usable_size(huge));
  const std::vector<Offset> both{small, huge};
  CHECK(joined(heap->verify(&both)) == "");
  heap->commit();
  heap = open_heap(options);
  CHECK(joined(heap->verify(&both)) == "");
  // Its own bytes look like descriptors of blocks; nothing inside it can be released.
  CHECK_THROWS_AS(heap->release(Offset{kExtentPages} * 2 * kPageSize), std::invalid_argument);
  CHECK_THROWS_AS(heap->release(Offset{kExtentPages} * 2 * kPageSize + 5 * kPageSize), std::invalid_argument);
  heap->release(huge);
  const std::vector<Offset> one{small};
  CHECK(joined(heap->verify(&one)) == "");
  const Offset again = heap->allocate(std::size_t{9} << 20);
  CHECK(again == huge);
  CHECK(all_zero(heap->data() + again, heap->usable_size(again)));
  heap->release(again);
  heap->trim();
  CHECK(heap->size() == 3 * kPageSize);
  CHECK(joined(heap->verify(&one)) == "");
}

TEST_CASE("release refuses everything that is not an allocated block") {
  const TempFolder folder;
  const auto heap = create_heap(heap_in(folder));
  const Offset block = heap->allocate(64);
  const Offset large = heap->allocate(3 * kPageSize);
  for (const Offset wrong :
       {Offset{0}, Offset{1}, Offset{kPageSize}, block + 1, block + 64, block - 64, large + 16,
        large + kPageSize, large - kPageSize, Offset{heap->size()}, ~Offset{0}}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(heap->release(wrong), std::invalid_argument);
    CHECK_THROWS_AS(heap->usable_size(wrong), std::invalid_argument);
  }
  const std::vector<Offset> both{block, large};
  CHECK(joined(heap->verify(&both)) == "");
}
