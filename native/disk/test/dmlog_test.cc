#include "native/disk/dmlog.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "native/disk/test/temporary.h"
#include "native/disk/timeline.h"
#include "native/disk/trace.h"

using namespace plugpull::disk;

namespace {

constexpr uint64_t kSize = 1 << 20;

std::string page(char byte) { return std::string(4096, byte); }

// What is durable, by first byte, at the end of each epoch's beginning: the meaning of a trace.
std::vector<std::string> durable_by_epoch(const std::string& path) {
  const TraceReader reader(path);
  std::vector<std::string> all;
  std::string now;
  for (const Epoch& epoch : epochs_of(reader.records())) {
    std::string added;
    for (const size_t index : epoch.now_durable) added += reader.text(reader.records()[index])[0];
    std::sort(added.begin(), added.end());
    now += added;
    all.push_back(now);
  }
  return all;
}

}  // namespace

TEST_CASE("a trace means the same after it was a dm-log-writes log") {
  const TemporaryFolder folder;
  {
    TraceWriter out(folder / "t", kSize);
    const auto write = [&](uint64_t id, char byte, uint64_t at) {
      out.add({.kind = Kind::kWrite, .id = id, .offset = at, .length = 4096}, page(byte));
    };
    const auto done = [&](uint64_t id) { out.add({.kind = Kind::kDone, .id = id}); };
    write(1, 'a', 0);
    write(2, 'b', 4096);
    done(2);
    out.add({.kind = Kind::kFlush, .id = 3});  // covers b only
    done(1);
    out.add({.kind = Kind::kMark}, "ack 1");
    done(3);
    out.add({.kind = Kind::kFlush, .id = 4});  // covers a
    done(4);
    out.add({.kind = Kind::kMark}, "ack 2");
    write(5, 'c', 8192);  // never answered
  }
  CHECK(dmlog_from_trace(folder / "t", folder / "log") == 7);
  CHECK(trace_from_dmlog(folder / "log", folder / "t2", kSize) == 7);
  CHECK(durable_by_epoch(folder / "t") == std::vector<std::string>{"", "b", "ba"});
  CHECK(durable_by_epoch(folder / "t2") == durable_by_epoch(folder / "t"));

  const TraceReader reader(folder / "t2");
  std::vector<std::string> marks;
  for (const Record& record : reader.records()) {
    if (record.kind == Kind::kMark) marks.push_back(reader.text(record));
  }
  CHECK(marks == std::vector<std::string>{"ack 1", "ack 2"});
  CHECK(epochs_of(reader.records()).back().pending.size() == 1);
}

TEST_CASE("flags of a log: a flush before the write, force unit access, a discard") {
  const TemporaryFolder folder;
  {
    std::string log(512, '\0');
    const uint64_t head[] = {0x6a736677736872, 1, 3};
    const uint32_t sector = 512;
    std::memcpy(log.data(), head, sizeof head);
    std::memcpy(log.data() + sizeof head, &sector, sizeof sector);
    const auto entry = [&](uint64_t at, uint64_t sectors, uint64_t flags, const std::string& data) {
      const uint64_t words[] = {at, sectors, flags, 0};
      std::string block(512, '\0');
      std::memcpy(block.data(), words, sizeof words);
      log += block + data;
    };
    entry(0, 1, 0, std::string(512, 'x'));
    entry(1, 1, 1 | 2, std::string(512, 'y'));
    entry(2, 2, 4, "");
    std::ofstream(folder / "log", std::ios::binary) << log;
  }
  trace_from_dmlog(folder / "log", folder / "t", kSize);
  CHECK(durable_by_epoch(folder / "t") == std::vector<std::string>{"", "x", "xy"});
  const TraceReader reader(folder / "t");
  const Epoch last = epochs_of(reader.records()).back();
  REQUIRE(last.pending.size() == 1);
  CHECK(reader.records()[last.pending[0]].kind == Kind::kDiscard);
  CHECK(reader.records()[last.pending[0]].length == 1024);
}

TEST_CASE("what is no log is refused") {
  const TemporaryFolder folder;
  std::ofstream(folder / "log") << std::string(4096, 'x');
  CHECK_THROWS(trace_from_dmlog(folder / "log", folder / "t", kSize));
  std::ofstream(folder / "short") << "x";
  CHECK_THROWS(trace_from_dmlog(folder / "short", folder / "t", kSize));
}
