#include "native/disk/served_disk.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <fstream>

#include "native/disk/fuse_end.h"
#include "native/disk/test/temporary.h"
#include "native/disk/timeline.h"

using namespace plugpull::disk;

namespace {

struct Fixture {
  TemporaryFolder folder;
  RecorderOptions options;
  Fixture() {
    options.image = folder / "image";
    options.trace = folder / "trace";
    std::ofstream(options.image, std::ios::binary) << std::string(8192, 'i');
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "writes are seen by reads and stand in the trace with their answers; the image stays") {
  {
    ServedDisk disk(options);
    uint64_t id = 0;
    uint64_t flush = 0;
    CHECK(disk.write(4096, "new", &id) == 0);
    disk.done(id);
    CHECK(disk.flush(&flush) == 0);
    disk.done(flush);
    CHECK(disk.mark("ack 1\n") == 0);
    CHECK(std::string(disk.bytes() + 4094, 6) == "iinewi");
    disk.finish();
  }
  const TraceReader reader(options.trace);
  CHECK(epochs_of(reader.records()).size() == 2);
  CHECK(reader.text(reader.records().back()) == "ack 1");
  std::ifstream image(options.image);
  CHECK(std::string(std::istreambuf_iterator<char>(image), {}) == std::string(8192, 'i'));
}

TEST_CASE_FIXTURE(Fixture, "a lying disk answers flushes, and none of them is in the trace") {
  options.lying_flush = true;
  {
    ServedDisk disk(options);
    uint64_t id = 0;
    disk.write(0, "x", &id);
    disk.done(id);
    CHECK(disk.flush(&id) == 0);
    CHECK(id == 0);
    disk.done(id);
    disk.finish();
  }
  CHECK(epochs_of(TraceReader(options.trace).records()).size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "faults begin where they were asked for") {
  options.eio_writes_from = 2;
  options.full_after = 4;
  ServedDisk disk(options);
  uint64_t id = 0;
  CHECK(disk.write(0, "12345", &id) == ENOSPC);
  CHECK(disk.write(0, "1", &id) == EIO);
  CHECK(disk.read(0, 1) == 0);
  CHECK(disk.read(8192, 1) == EINVAL);
  CHECK(disk.control("eio-reads-after 1"));
  CHECK(disk.read(0, 1) == 0);
  CHECK(disk.read(0, 1) == EIO);
  CHECK(disk.control("eio-flushes-after 0"));
  CHECK(disk.flush(&id) == EIO);
  CHECK(disk.control("eio-flushes-after 1 2"));
  CHECK(disk.flush(&id) == 0);
  CHECK(disk.flush(&id) == EIO);
  CHECK(disk.flush(&id) == EIO);
  CHECK(disk.flush(&id) == 0);
  CHECK(disk.summary().find(" failed 6 ") != std::string::npos);
  CHECK(disk.control("healthy"));
  CHECK(disk.write(0, "12345", &id) == 0);
  CHECK(disk.read(0, 1) == 0);
  CHECK_FALSE(disk.control("no-such-thing 1"));
  CHECK_FALSE(disk.control("full-after"));
}

TEST_CASE_FIXTURE(Fixture, "a discard reads as zeros and ends with the disk") {
  ServedDisk disk(options);
  uint64_t id = 0;
  CHECK(disk.zero(4096, 1 << 30, true, &id) == 0);
  CHECK(disk.bytes()[4095] == 'i');
  CHECK(disk.bytes()[4096] == '\0');
  CHECK(disk.zero(9000, 1, true, &id) == EINVAL);
  CHECK(disk.write(5000, "ab", &id) == 0);
  CHECK(disk.summary().ends_with(" changed 4096"));
  CHECK(disk.write(8191, "ab", &id) == EFBIG);
}

TEST_CASE("the connection of the topmost mount at a folder is found") {
  const std::string text =
      "21 1 8:1 / / rw - ext4 /dev/sda rw\n30 21 0:44 / /tmp/a rw - fuse x rw\n31 30 0:51 / /tmp/a rw - fuse "
      "y rw\n";
  CHECK(connection_of(text, "/tmp/a") == 51);
  CHECK(connection_of(text, "/tmp") == -1);
}

TEST_CASE_FIXTURE(Fixture, "a fault can wait for a mark") {
  ServedDisk disk(options);
  uint64_t id = 0;
  CHECK(disk.control("on-mark ack_2 eio-writes-after 1 1"));
  CHECK_FALSE(disk.control("on-mark ack_2"));
  CHECK(disk.mark("ack 1") == 0);
  CHECK(disk.write(0, "1", &id) == 0);
  CHECK(disk.mark("ack 2\n") == 0);
  CHECK(disk.write(0, "1", &id) == 0);
  CHECK(disk.write(0, "1", &id) == EIO);
  CHECK(disk.write(0, "1", &id) == 0);
}
