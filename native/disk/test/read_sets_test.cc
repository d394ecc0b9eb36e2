#include "native/disk/read_sets.h"

#include <doctest/doctest.h>

#include <fstream>

#include "native/disk/test/temporary.h"

using namespace plugpull::disk;

namespace {

constexpr uint64_t kSize = 16 * kBlock;

Bio read_at(uint64_t nanos, uint64_t block, uint64_t blocks = 1) {
  return {nanos, block * kBlock, blocks * kBlock, true};
}
Bio write_at(uint64_t nanos, uint64_t block, uint64_t blocks = 1) {
  return {nanos, block * kBlock, blocks * kBlock, false};
}

// Three writes: blocks 0 and 1, block 2, block 1 once more.
struct Fixture {
  TemporaryFolder folder;
  std::string base = folder / "base";
  Fixture() {
    std::ofstream(base, std::ios::binary) << std::string(kSize, '\0');
    TraceWriter out(folder / "t", kSize);
    out.add({.kind = Kind::kWrite, .id = 1, .offset = 0, .length = 2 * kBlock}, std::string(2 * kBlock, '1'));
    out.add({.kind = Kind::kWrite, .id = 2, .offset = 2 * kBlock, .length = kBlock},
            std::string(kBlock, '2'));
    out.add({.kind = Kind::kWrite, .id = 3, .offset = kBlock, .length = kBlock}, std::string(kBlock, '3'));
    out.add({.kind = Kind::kZero, .id = 4, .offset = 5 * kBlock, .length = 2 * kBlock});
    out.add({.kind = Kind::kWrite, .id = 5, .offset = 6 * kBlock + 512, .length = 512},
            std::string(512, '5'));
  }
};

}  // namespace

TEST_CASE("what was written whole before it was read says nothing about what was there") {
  CHECK(first_read({read_at(1, 3), read_at(2, 7, 2)}) == Blocks{3, 7, 8});
  CHECK(first_read({write_at(1, 3), read_at(2, 3)}).empty());
  CHECK(first_read({read_at(1, 3), write_at(2, 3), read_at(3, 3)}) == Blocks{3});
  // In the order in which it happened, not in that in which it was told.
  CHECK(first_read({read_at(2, 3, 2), write_at(1, 3)}) == Blocks{4});
}

TEST_CASE(
    "a part of a block that was read is the block; one of which a part was written is not overwritten") {
  CHECK(first_read({{1, 3 * kBlock + 512, 512, true}}) == Blocks{3});
  CHECK(first_read({{1, 3 * kBlock + 4000, 200, true}}) == Blocks{3, 4});
  CHECK(first_read({{1, 3 * kBlock, 512, false}, read_at(2, 3)}) == Blocks{3});
  CHECK(first_read({{1, 3 * kBlock + 512, 2 * kBlock, false}, read_at(2, 3, 3)}) == Blocks{3, 5});
}

TEST_CASE("blocks are written as they are read") {
  for (const char* text : {"-", "3+1", "0+2,7+1,9+3"}) CHECK(blocks_text(parse_blocks(text, 16)) == text);
  CHECK(parse_blocks("15+1", 16) == Blocks{15});
  for (const char* text :
       {"", "3", "3+0", "16+1", "15+2", "3+1,3+1", "5+1,4+1", "x+1", "1+18446744073709551615"})
    CHECK_THROWS(static_cast<void>(parse_blocks(text, 16).at(0)));
}

TEST_CASE_FIXTURE(Fixture,
                  "states agree that hold the same in the blocks that were read, whatever else they hold") {
  const TraceReader trace(folder / "t");
  const auto& records = trace.records();
  Medium medium(base);
  ReadSets sets(medium);
  const Blocks read{0, 2};
  const std::string empty = sets.name(read);
  medium.put(trace, records[1], {}, kBlock);
  const std::string second = sets.name(read);
  CHECK(empty != second);
  sets.learn(second, read);
  CHECK(sets.agreeing(4) == std::vector{second});
  medium.put(trace, records[2], {}, kBlock);  // block 1: nobody read it
  CHECK(sets.agreeing(4) == std::vector{second});
  medium.put(trace, records[0], {}, kBlock);
  CHECK(sets.agreeing(4).empty());
  medium.undo();
  CHECK(sets.agreeing(4).empty());
  sets.learn(empty, read);
  CHECK(sets.agreeing(4) == std::vector{empty});
  CHECK(sets.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "what became durable counts as what was put, and going back undoes it") {
  const TraceReader trace(folder / "t");
  const auto& records = trace.records();
  Medium medium(base);
  ReadSets sets(medium);
  const Blocks read{0, 1, 2};
  sets.learn(sets.name(read), read);
  const std::string clean = sets.name(read);
  medium.make_durable(trace, records[0]);
  medium.undo();
  CHECK(sets.agreeing(4).empty());
  medium.put(trace, records[2], {}, kBlock);
  const std::string both = sets.name(read);
  sets.learn(both, read);
  medium.make_durable(trace, records[2]);
  medium.undo();
  CHECK(sets.agreeing(4) == std::vector{both});
  // One that is learnt now knows what is durable by now.
  const Blocks other{1, 7};
  const std::string name = sets.name(other);
  sets.learn(name, other);
  CHECK(sets.agreeing(4) == std::vector{name, both});
  medium.rewind();
  CHECK(sets.agreeing(4) == std::vector{clean});
}

TEST_CASE_FIXTURE(Fixture, "the oldest sets are forgotten") {
  Medium medium(base);
  ReadSets sets(medium, 2);
  std::vector<std::string> names;
  for (uint64_t block = 0; block < 4; block++) {
    names.push_back(sets.name({block}));
    sets.learn(names.back(), {block});
  }
  CHECK(sets.size() == 2);
  CHECK(sets.blocks_of(names[1]) == nullptr);
  CHECK(sets.blocks_of(names[3]) != nullptr);
  CHECK(sets.agreeing(4) == std::vector{names[3], names[2]});
  CHECK_THROWS(sets.learn(names[0], {1}));
  CHECK_THROWS(sets.learn("x", {1}));
}

TEST_CASE_FIXTURE(Fixture, "a write matters if it would change what was read") {
  const TraceReader trace(folder / "t");
  const auto& records = trace.records();
  Medium medium(base);
  std::vector<bool> blocks(kSize / kBlock, false);
  blocks[1] = blocks[5] = blocks[6] = true;
  CHECK(medium.would_change(trace, records[0], blocks));
  CHECK_FALSE(medium.would_change(trace, records[1], blocks));
  CHECK_FALSE(medium.would_change(trace, records[3], blocks));  // zeros are there already
  CHECK(medium.would_change(trace, records[4], blocks));
  medium.put(trace, records[4], {}, kBlock);
  CHECK_FALSE(medium.would_change(trace, records[4], blocks));
  CHECK(medium.would_change(trace, records[3], blocks));
}
