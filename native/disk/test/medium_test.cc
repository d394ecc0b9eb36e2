#include "native/disk/medium.h"

#include <doctest/doctest.h>

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
