#include "native/disk/dmlog.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
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
  CHECK(trace_from_dmlog(folder / "log", folder / "t2", {.image_bytes = kSize, .marks_at = {}}) == 7);
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
  trace_from_dmlog(folder / "log", folder / "t", {.image_bytes = kSize, .marks_at = {}});
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
  CHECK_THROWS(trace_from_dmlog(folder / "log", folder / "t", {.image_bytes = kSize, .marks_at = {}}));
  std::ofstream(folder / "short") << "x";
  CHECK_THROWS(trace_from_dmlog(folder / "short", folder / "t", {.image_bytes = kSize, .marks_at = {}}));
}

namespace {

// A log as QEMU writes one, entry by entry; `counted` of them are in its superblock (0: it has none).
class Log {
 public:
  void write(uint64_t sector, char byte, uint64_t sectors = 1) {
    entry(sector, sectors, 0);
    text_ += std::string(sectors * 512, byte);
  }
  void flush() { entry(0, 0, 1); }
  void mark(uint64_t sector, const std::string& text) {
    entry(sector, 1, 0);
    std::string data = "PLUGMARK";
    const uint32_t head[] = {1, static_cast<uint32_t>(text.size())};
    data.append(reinterpret_cast<const char*>(head), sizeof head);
    data += text;
    data.resize(512);
    text_ += data;
  }
  // Cuts so many bytes off the end.
  void cut(size_t bytes) { text_.resize(text_.size() - bytes); }
  // A hole as large as an entry of one sector with its data, where the file system keeps holes.
  void hole() { text_.resize((text_.size() + 4095) / 4096 * 4096 + 4096); }

  void save(const std::string& path, uint64_t counted) const {
    std::ofstream out(path, std::ios::binary);
    std::string super(512, '\0');
    if (counted > 0) {
      const uint64_t head[] = {0x6a736677736872, 1, counted};
      const uint32_t sector = 512;
      std::memcpy(super.data(), head, sizeof head);
      std::memcpy(super.data() + sizeof head, &sector, sizeof sector);
    }
    const std::string all = super + text_;
    // Pages without anything in them become holes.
    for (size_t at = 0; at < all.size(); at += 4096) {
      const std::string page = all.substr(at, 4096);
      if (page == std::string(page.size(), '\0')) continue;
      out.seekp(static_cast<std::streamoff>(at));
      out << page;
    }
    out.close();
    std::filesystem::resize_file(path, all.size());
  }

 private:
  void entry(uint64_t sector, uint64_t sectors, uint64_t flags) {
    const uint64_t words[] = {sector, sectors, flags, 0};
    std::string block(512, '\0');
    std::memcpy(block.data(), words, sizeof words);
    text_ += block;
  }
  std::string text_;
};

// Marks and writes in their order: a mark's text, or the first byte of a write; `|` for a flush.
std::string told(const std::string& path) {
  const TraceReader reader(path);
  std::string all;
  for (const Record& record : reader.records()) {
    if (record.kind == Kind::kMark) all += "<" + reader.text(record) + ">";
    if (record.kind == Kind::kWrite) all += reader.text(record)[0];
    if (record.kind == Kind::kFlush) all += "|";
  }
  return all;
}

constexpr uint64_t kMarks = kSize;

std::string converted(const TemporaryFolder& folder, const Log& log, uint64_t counted) {
  log.save(folder / "log", counted);
  trace_from_dmlog(folder / "log", folder / "t", {.image_bytes = kSize, .marks_at = kMarks});
  return told(folder / "t");
}

}  // namespace

TEST_CASE("writes to the place for marks are marks, where they lie") {
  const TemporaryFolder folder;
  Log log;
  log.mark(kMarks / 512, "begin");
  log.write(0, 'a');
  log.flush();
  log.mark(kMarks / 512, "ack 1");
  log.write(1, 'b');
  CHECK(converted(folder, log, 5) == "<begin>a|<ack 1>b");
  // Without such a place they lie outside of the device.
  CHECK_THROWS(trace_from_dmlog(folder / "log", folder / "t", {.image_bytes = kSize, .marks_at = {}}));
  CHECK_THROWS(trace_from_dmlog(folder / "log", folder / "t", {.image_bytes = kSize, .marks_at = 512}));
  log.write(kMarks / 512, 'x');
  CHECK_THROWS(converted(folder, log, 6));
}

TEST_CASE("flushes that nothing follows are QEMU's own, and left out") {
  const TemporaryFolder folder;
  Log log;
  log.write(0, 'a');
  log.flush();
  log.flush();
  CHECK(converted(folder, log, 3) == "a");
  log.mark(kMarks / 512, "ack 1");
  CHECK(converted(folder, log, 3) == "a||<ack 1>");
}

TEST_CASE("what came after the last count is read too, up to where a killed writer ended") {
  const TemporaryFolder folder;
  Log log;
  log.write(0, 'a');
  log.flush();
  log.write(1, 'b');
  log.mark(kMarks / 512, "ack 1");
  CHECK(converted(folder, log, 2) == "a|b<ack 1>");
  CHECK(converted(folder, log, 0) == "a|b<ack 1>");
  // The last of nine sectors, some of them, all but one byte.
  for (const size_t bytes : {size_t{1}, size_t{512}, size_t{3000}, size_t{4607}}) {
    Log torn = log;
    torn.write(2, 'c', 8);
    CHECK(converted(folder, torn, 4) == "a|b<ack 1>c");
    torn.cut(bytes);
    CHECK(converted(folder, torn, 2) == "a|b<ack 1>");
    CHECK_THROWS(converted(folder, torn, 5));
  }
}

TEST_CASE("nothing behind a hole is believed") {
  const TemporaryFolder folder;
  Log log;
  log.write(0, 'a');
  log.flush();
  log.write(1, 'b');
  log.hole();
  log.write(3, 'd');
  CHECK(converted(folder, log, 2) == "a|b");
  // What the superblock counts is all there.
  CHECK_THROWS(converted(folder, log, 50));

  Log late;
  late.write(0, 'a');
  late.flush();
  late.write(1, '\0', 32);
  late.write(2, 'c');
  CHECK(converted(folder, late, 2) == "a");
  // Zeros are written as a hole.
  CHECK(converted(folder, late, 4) == std::string("a|\0c", 4));
}

TEST_CASE("a log of a run that wrote nothing is empty") {
  const TemporaryFolder folder;
  std::ofstream(folder / "log").close();
  CHECK(trace_from_dmlog(folder / "log", folder / "t", {.image_bytes = kSize, .marks_at = kMarks}) == 0);
  CHECK(told(folder / "t").empty());
}
