#include "native/disk/trace.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "native/disk/test/temporary.h"

using namespace plugpull::disk;

namespace {

void write_three(const std::string& path) {
  TraceWriter out(path, 1 << 20);
  out.add({.kind = Kind::kWrite, .id = 1, .offset = 4096, .length = 3, .micros = 7}, "abc");
  out.add({.kind = Kind::kMark}, "ack 1");
  out.add({.kind = Kind::kDone, .id = 1});
}

void change_byte(const std::string& path, std::streamoff at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(at);
  file.put(byte);
}

}  // namespace

TEST_CASE("a trace gives back what was put in") {
  const TemporaryFolder folder;
  write_three(folder / "t");
  const TraceReader reader(folder / "t");
  CHECK(reader.image_bytes() == 1 << 20);
  CHECK(reader.torn_bytes() == 0);
  REQUIRE(reader.records().size() == 3);
  const Record& write = reader.records()[0];
  CHECK(write.kind == Kind::kWrite);
  CHECK(write.offset == 4096);
  CHECK(write.micros == 7);
  CHECK(reader.text(write) == "abc");
  CHECK(reader.text(reader.records()[1]) == "ack 1");
  CHECK(reader.records()[2].id == 1);
}

TEST_CASE("what a killed recorder left is read up to its last whole record") {
  const TemporaryFolder folder;
  write_three(folder / "t");
  const auto size = std::filesystem::file_size(folder / "t");
  for (uintmax_t cut = 1; cut < 56; cut++) {
    std::filesystem::resize_file(folder / "t", size - cut);
    const TraceReader reader(folder / "t");
    CHECK(reader.records().size() == 2);
    CHECK(reader.torn_bytes() == 56 - cut);
  }
}

TEST_CASE("any changed byte of a record ends the trace before it") {
  const TemporaryFolder folder;
  // The file's header has 40 bytes, a record's 56.
  for (std::streamoff at = 40; at < 40 + 56 + 3; at++) {
    write_three(folder / "t");
    change_byte(folder / "t", at);
    CHECK(TraceReader(folder / "t").records().empty());
  }
  for (std::streamoff at = 0; at < 40; at++) {
    write_three(folder / "t");
    change_byte(folder / "t", at);
    CHECK_THROWS(TraceReader(folder / "t"));
  }
}

TEST_CASE("a write that lies outside of the device is not believed") {
  const TemporaryFolder folder;
  {
    TraceWriter out(folder / "t", 8192);
    out.add({.kind = Kind::kZero, .id = 1, .offset = 8192, .length = 1});
  }
  CHECK(TraceReader(folder / "t").records().empty());
}

TEST_CASE("records larger than the buffer are written whole") {
  const TemporaryFolder folder;
  const std::string large(5 << 20, 'x');
  {
    TraceWriter out(folder / "t", 64 << 20);
    out.add({.kind = Kind::kMark}, "before");
    out.add({.kind = Kind::kWrite, .id = 1, .offset = 0, .length = large.size()}, large);
    out.add({.kind = Kind::kMark}, "after");
  }
  const TraceReader reader(folder / "t");
  REQUIRE(reader.records().size() == 3);
  CHECK(reader.text(reader.records()[1]) == large);
  CHECK(reader.text(reader.records()[2]) == "after");
}
