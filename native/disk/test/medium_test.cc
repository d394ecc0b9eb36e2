#include "native/disk/medium.h"

#include <doctest/doctest.h>

#include <fcntl.h>

#include <fstream>
#include <sstream>

#include "native/disk/state_file.h"
#include "native/disk/test/temporary.h"

using namespace plugpull::disk;

namespace {

constexpr uint64_t kSize = 16 * kBlock;

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Fixture {
  TemporaryFolder folder;
  std::string base = folder / "base";
  Fixture() {
    std::string bytes(kSize, '\0');
    bytes.replace(0, kBlock, kBlock, 'b');
    std::ofstream(base, std::ios::binary) << bytes;
    TraceWriter out(folder / "t", kSize);
    out.add({.kind = Kind::kWrite, .id = 1, .offset = 0, .length = 2 * kBlock}, std::string(2 * kBlock, '1'));
    out.add({.kind = Kind::kWrite, .id = 2, .offset = 512, .length = 512}, std::string(512, '2'));
    out.add({.kind = Kind::kZero, .id = 3, .offset = 0, .length = kBlock});
    out.add({.kind = Kind::kWrite, .id = 4, .offset = 0, .length = kBlock}, std::string(kBlock, 'b'));
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "the device shows the base, what is durable and what is put on it, and goes back") {
  const TraceReader trace(folder / "t");
  const auto& records = trace.records();
  Medium medium(base);
  const std::string clean(medium.bytes(), kSize);
  CHECK(clean == contents(base));
  const uint64_t digest = medium.digest();

  medium.put(trace, records[0], {}, kBlock);
  CHECK(medium.bytes()[0] == '1');
  CHECK(medium.bytes()[kBlock] == '1');
  CHECK(medium.digest() != digest);
  medium.undo();
  CHECK(std::string(medium.bytes(), kSize) == clean);
  CHECK(medium.digest() == digest);

  medium.make_durable(trace, records[1]);
  medium.undo();
  CHECK(medium.bytes()[0] == 'b');
  CHECK(medium.bytes()[512] == '2');
  CHECK(medium.bytes()[1024] == 'b');
  medium.rewind();
  CHECK(std::string(medium.bytes(), kSize) == clean);
  CHECK(medium.digest() == digest);
  CHECK(contents(base) == clean);
}

TEST_CASE_FIXTURE(Fixture, "a torn write keeps only the units of its mask") {
  const TraceReader trace(folder / "t");
  Medium medium(base);
  medium.put(trace, trace.records()[0], {false, true}, kBlock);
  CHECK(medium.bytes()[0] == 'b');
  CHECK(medium.bytes()[kBlock] == '1');
  medium.undo();
  medium.put(trace, trace.records()[0], {false, false, true}, 512);
  CHECK(medium.bytes()[1023] == 'b');
  CHECK(medium.bytes()[1024] == '1');
  CHECK(medium.bytes()[1536] == 'b');
}

TEST_CASE_FIXTURE(Fixture, "equal contents have equal digests, however they came about") {
  const TraceReader trace(folder / "t");
  const auto& records = trace.records();
  Medium one(base);
  one.put(trace, records[1], {}, kBlock);
  const uint64_t put = one.digest();
  Medium other(base);
  other.make_durable(trace, records[0]);
  other.make_durable(trace, records[1]);
  other.undo();
  CHECK(other.digest() != put);
  // Over the first write again: what the base held, but block 1 stays another.
  other.make_durable(trace, records[3]);
  other.undo();
  CHECK(other.digest() != Medium(base).digest());
  one.undo();
  one.put(trace, records[2], {}, kBlock);
  one.put(trace, records[3], {}, kBlock);
  CHECK(one.digest() == Medium(base).digest());
}

TEST_CASE_FIXTURE(Fixture, "changes by others are found by comparison, in data and in holes") {
  Medium medium(base);
  const std::string clean(medium.bytes(), kSize);
  REQUIRE(pwrite(medium.fd(), "x", 1, 5) == 1);
  REQUIRE(pwrite(medium.fd(), "y", 1, 9 * kBlock + 100) == 1);
  CHECK(medium.bytes()[5] == 'x');
  medium.find_changes();
  medium.undo();
  CHECK(std::string(medium.bytes(), kSize) == clean);
}

TEST_CASE_FIXTURE(Fixture, "a state that is saved can be made again as an image") {
  const TraceReader trace(folder / "t");
  Medium medium(base);
  medium.put(trace, trace.records()[0], {}, kBlock);
  save_state(medium.fd(), medium.size(), folder / "saved");
  restore_state(folder / "saved", folder / "image");
  CHECK(contents(folder / "image") == std::string(medium.bytes(), kSize));
}

TEST_CASE_FIXTURE(Fixture,
                  "a hole that somebody else made where the base has data is found, and filled again") {
  Medium medium(base);
  const std::string clean(medium.bytes(), kSize);
  REQUIRE(fallocate(medium.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2 * kBlock) == 0);
  // Nobody looks into it meanwhile: that would fill it with a page of zeros.
  medium.undo();
  CHECK(medium.missed() == 0U);
  medium.find_changes();
  medium.undo();
  CHECK(medium.missed() == std::nullopt);
  CHECK(std::string(medium.bytes(), kSize) == clean);
}

TEST_CASE_FIXTURE(Fixture, "a change that was missed shows when the whole device is compared") {
  const TraceReader trace(folder / "t");
  Medium medium(base);
  medium.make_durable(trace, trace.records()[0]);
  medium.undo();
  CHECK(medium.missed() == std::nullopt);
  for (const uint64_t block : {uint64_t{1}, uint64_t{9}}) {
    REQUIRE(pwrite(medium.fd(), "x", 1, static_cast<off_t>(block * kBlock)) == 1);
    medium.undo();
    CHECK(medium.missed() == block);
    medium.touched(block * kBlock, 1);
    medium.undo();
    CHECK(medium.missed() == std::nullopt);
  }
}

TEST_CASE_FIXTURE(Fixture, "of a write that is partly hidden only the rest has an effect") {
  const TraceReader trace(folder / "t");
  const Record& write = trace.records()[0];
  const Ranges hidden = {{100, kBlock + 100}};
  Medium medium(base);
  const auto shown = [&] {
    std::string bytes;
    for (const uint64_t at : {uint64_t{99}, uint64_t{100}, kBlock + 99, kBlock + 100})
      bytes += medium.bytes()[at] == '\0' ? '.' : medium.bytes()[at];
    return bytes;
  };
  medium.put(trace, write, {}, kBlock, hidden);
  CHECK(shown() == "1b.1");
  medium.undo();
  medium.put(trace, write, {true, false}, kBlock, hidden);
  CHECK(shown() == "1b..");
  medium.undo();
  std::vector<bool> second(medium.blocks(), false);
  second[1] = true;
  CHECK(medium.would_change(trace, write, second, hidden));
  CHECK(!medium.would_change(trace, write, second, {{kBlock, 2 * kBlock}}));
  medium.make_durable(trace, write, hidden);
  medium.undo();
  CHECK(shown() == "1b.1");
}
