#include "native/tracking/tracker.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "native/storage/io.h"
#include "native/storage/posix.h"
#include "native/test/fams_support.h"

namespace plugpull::test {
namespace {

using Pages = std::vector<std::uint32_t>;

std::vector<TrackerKind> kinds() {
  std::vector<TrackerKind> kinds = {TrackerKind::kMprotect, TrackerKind::kCompare};
  if (pagemap_scan_available()) {
    kinds.push_back(TrackerKind::kPagemap);
  } else {
    MESSAGE("skipped: tracker pagemap (this kernel does not have it, or forbids it)");
  }
  return kinds;
}

// A private mapping of a file for the first half, zeros for the second.
struct Memory {
  explicit Memory(std::size_t pages) : reservation(posix_storage().reserve(pages * kPageSize, nullptr)) {
    file = posix_storage().open(folder.file("file"), {.create = true});
    const std::vector<std::byte> content(pages / 2 * kPageSize, std::byte{7});
    write_all(*file, content, 0);
    base = reservation->base();
    file->map_private(base, content.size());
    reservation->map_zero(base + content.size(), pages * kPageSize - content.size());
  }
  void touch(std::size_t page) const { base[page * kPageSize + 17] ^= std::byte{1}; }

  TempFolder folder;
  std::unique_ptr<Reservation> reservation;
  std::unique_ptr<File> file;
  std::byte* base;
};

template <typename Body>
void for_kinds(Body body) {
  for (const TrackerKind kind : kinds()) {
    CAPTURE(static_cast<int>(kind));
    body(kind);
  }
}

}  // namespace

TEST_CASE("trackers: name what was changed since, and only that") {
  for_kinds([](TrackerKind kind) {
    const Memory memory(64);
    const auto tracker = make_tracker(kind, 64 * kPageSize);
    tracker->arm(memory.base, 64 * kPageSize);
    CHECK(tracker->collect().empty());
    int sum = 0;
    for (int page = 0; page < 64; ++page) sum += static_cast<int>(memory.base[page * kPageSize]);  // reading
    CHECK(sum == 32 * 7);
    CHECK(tracker->collect().empty());
    for (const std::size_t page : {63, 0, 5, 6, 7, 40}) memory.touch(page);
    CHECK(tracker->collect() == Pages{0, 5, 6, 7, 40, 63});
    CHECK(tracker->collect().empty());
    memory.touch(6);
    CHECK(tracker->collect() == Pages{6});
    for (std::size_t page = 0; page < 64; ++page) memory.touch(page);
    CHECK(tracker->collect().size() == 64);
  });
}

TEST_CASE("trackers: growth keeps what is known, shrinkage forgets what is gone") {
  for_kinds([](TrackerKind kind) {
    const Memory memory(64);
    const auto tracker = make_tracker(kind, 32 * kPageSize);
    tracker->arm(memory.base, 32 * kPageSize);
    memory.touch(3);
    tracker->arm(memory.base, 48 * kPageSize);
    memory.touch(40);
    CHECK(tracker->collect() == Pages{3, 40});
    memory.touch(4);
    memory.touch(45);
    tracker->arm(memory.base, 44 * kPageSize);
    tracker->arm(memory.base, 64 * kPageSize);
    memory.touch(60);
    const Pages pages = tracker->collect();
    CHECK(std::count(pages.begin(), pages.end(), 4U) == 1);
    CHECK(std::count(pages.begin(), pages.end(), 60U) == 1);
    CHECK(tracker->collect().empty());
  });
}

TEST_CASE("trackers: many scattered pages, more than one answer of the kernel can hold") {
  for_kinds([](TrackerKind kind) {
    constexpr std::size_t kPages = 8192;
    const auto reservation = posix_storage().reserve(kPages * kPageSize, nullptr);
    reservation->map_zero(reservation->base(), kPages * kPageSize);
    const auto tracker = make_tracker(kind, kPages * kPageSize);
    tracker->arm(reservation->base(), kPages * kPageSize);
    Pages expected;
    for (std::uint32_t page = 1; page < kPages; page += 2) {
      reservation->base()[page * kPageSize] = std::byte{1};
      expected.push_back(page);
    }
    CHECK(tracker->collect() == expected);
    CHECK(tracker->collect().empty());
    reservation->base()[4001 * kPageSize] = std::byte{2};
    CHECK(tracker->collect() == Pages{4001});
  });
}

TEST_CASE("trackers: a page re-armed while other threads write is never missed") {
  for_kinds([](TrackerKind kind) {
    if (kind == TrackerKind::kCompare) return;  // asks writers to hold still
    constexpr std::size_t kPages = 16;
    const Memory memory(kPages);
    const auto tracker = make_tracker(kind, kPages * kPageSize);
    tracker->arm(memory.base, kPages * kPageSize);
    std::vector<std::byte> copy(memory.base, memory.base + kPages * kPageSize);
    std::atomic<bool> stop = false;
    const auto write = [&](std::size_t offset) {
      for (std::uint64_t n = 1; !stop; ++n) {
        auto* at = reinterpret_cast<std::uint64_t*>(memory.base + n % kPages * kPageSize + offset);
        std::atomic_ref(*at).store(n, std::memory_order_relaxed);
      }
    };
    std::thread one(write, 8);
    std::thread two(write, 256);
    const auto take = [&] {
      for (const std::uint32_t page : tracker->collect()) {
        for (const std::size_t offset : {8, 256}) {
          const std::size_t at = page * kPageSize + offset;
          const std::uint64_t value =
              std::atomic_ref(*reinterpret_cast<std::uint64_t*>(memory.base + at)).load();
          std::memcpy(copy.data() + at, &value, sizeof value);
        }
      }
    };
    for (int round = 0; round < 2000; ++round) take();
    stop = true;
    one.join();
    two.join();
    take();
    CHECK(std::memcmp(copy.data(), memory.base, copy.size()) == 0);
  });
}

TEST_CASE("trackers: a child can track its own heaps after fork") {
  for_kinds([](TrackerKind kind) {
    const Memory parents(8);
    const auto parents_tracker = make_tracker(kind, 8 * kPageSize);
    parents_tracker->arm(parents.base, 8 * kPageSize);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const Memory memory(8);
      const auto tracker = make_tracker(kind, 8 * kPageSize);
      tracker->arm(memory.base, 8 * kPageSize);
      memory.touch(2);
      parents.touch(1);  // the inherited memory can still be written to
      ::_exit(tracker->collect() == Pages{2} ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    parents.touch(5);
    CHECK(parents_tracker->collect() == Pages{5});
  });
}

TEST_CASE("pagemap: what the kernel writes for us counts too") {
  if (!pagemap_scan_available()) return;
  const Memory memory(8);
  const auto tracker = make_tracker(TrackerKind::kPagemap, 8 * kPageSize);
  tracker->arm(memory.base, 8 * kPageSize);
  REQUIRE(memory.file->pread({memory.base + 6 * kPageSize, 100}, 0) == 100);
  CHECK(tracker->collect() == Pages{6});
}

TEST_CASE("mprotect: at the limit of mappings a wider part is opened and counted") {
  // Half-protected address space uses up the limit without using memory.
  constexpr std::size_t kBallast = 70000;
  const auto ballast = posix_storage().reserve(2 * kBallast * kPageSize, nullptr);
  constexpr std::size_t kPages = 1024;
  const Memory memory(kPages);
  const auto tracker = make_tracker(TrackerKind::kMprotect, kPages * kPageSize);
  tracker->arm(memory.base, kPages * kPageSize);
  bool limited = false;
  for (std::size_t i = 0; i < kBallast && !limited; ++i) {
    limited = ::mprotect(ballast->base() + 2 * i * kPageSize, kPageSize, PROT_READ) != 0;
  }
  if (!limited) {
    MESSAGE("skipped: the limit of mappings is higher than this test reaches");
    return;
  }
  for (const std::size_t page : {100, 300, 700}) memory.touch(page);
  const Pages pages = tracker->collect();
  for (const std::uint32_t page : {100U, 300U, 700U})
    CHECK(std::count(pages.begin(), pages.end(), page) == 1);
  CHECK(pages.size() > 3);
  memory.touch(101);
  CHECK(std::ranges::count(tracker->collect(), 101U) == 1);
}

TEST_CASE("mprotect: a fault elsewhere goes to the handler that was there before") {
  const Memory memory(8);
  const auto tracker = make_tracker(TrackerKind::kMprotect, 8 * kPageSize);
  tracker->arm(memory.base, 8 * kPageSize);
  const auto forbidden = posix_storage().reserve(kPageSize, nullptr);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(2);  // no report of the sanitizer, please
    *const_cast<volatile std::byte*>(forbidden->base()) = std::byte{1};
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status != 0);
}

TEST_CASE("auto: scans small heaps, takes faults in large ones") {
  const std::string small = pagemap_scan_available() ? "pagemap" : "mprotect";
  CHECK(make_tracker(TrackerKind::kAuto, std::size_t{16} << 20U)->name() == small);
  CHECK(make_tracker(TrackerKind::kAuto, std::size_t{1} << 30U)->name() == "mprotect");
}

}  // namespace plugpull::test
