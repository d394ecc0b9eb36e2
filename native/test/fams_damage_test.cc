// Files that no crash leaves behind: damaged, cut short, mixed up, not heaps at all.
#include <doctest/doctest.h>

#include <cstring>
#include <fstream>

#include "native/storage/error.h"
#include "native/storage/io.h"
#include "native/storage/posix.h"
#include "native/test/fams_support.h"

namespace plugpull::test {
namespace {

const BackendKind& redo() { return *backend_by_name("redo"); }

void commits(Backend& heap, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t k = first; k <= last; ++k) {
    script::change(heap, k);
    heap.commit();
  }
}

void flip_bit(const std::string& path, std::uint64_t bit) {
  const auto file = posix_storage().open(path, {});
  std::byte byte{};
  REQUIRE(file->pread({&byte, 1}, bit / 8) == 1);
  byte ^= std::byte{1} << (bit % 8);
  file->pwrite({&byte, 1}, bit / 8);
}

FormatError::Kind error_kind(const BackendKind& kind, const BackendOptions& options) {
  try {
    kind.open(posix_storage(), options);
  } catch (const FormatError& error) {
    return error.kind();
  }
  FAIL("it was opened");
  return FormatError::Kind::kAbsent;
}

}  // namespace

TEST_CASE("damage: a flipped bit in a log gives an error or the whole state, never another one") {
  const TempFolder folder;
  const auto options = script::options(folder.path());
  commits(*redo().create(posix_storage(), options), 1, 9);
  int refused = 0;
  for (const char* log : {".log0", ".log1"}) {
    const std::uint64_t bits = posix_storage().open(options.path + log, {})->size() * 8;
    for (std::uint64_t bit = 0; bit < bits; bit += bit < 64 * 8 || bit % 32768 < 128 * 8 ? 3 : 1237) {
      flip_bit(options.path + log, bit);
      CAPTURE(log);
      CAPTURE(bit);
      try {
        const auto heap = redo().open(posix_storage(), options);
        // Damage to the pages of the last record cannot be told from a torn write.
        CHECK((heap->sequence() == 9 || heap->sequence() == 8));
        CHECK(script::holds(*heap, heap->sequence()));
      } catch (const FormatError& error) {
        CHECK(error.kind() == FormatError::Kind::kCorrupt);
        ++refused;
      }
      flip_bit(options.path + log, bit);
    }
  }
  CHECK(refused > 500);
  CHECK(script::holds(*redo().open(posix_storage(), options), 9));
}

TEST_CASE("damage: files that are cut short are refused as such") {
  for (const BackendKind& kind : all_backends()) {
    if (kind.needs_reflink) continue;
    CAPTURE(kind.name);
    const TempFolder folder;
    const auto options = script::options(folder.path());
    commits(*kind.create(posix_storage(), options), 1, 2);
    const auto file = posix_storage().open(options.path, {});
    const std::uint64_t size = file->size();
    for (const std::uint64_t shorter : {size - 1, size / 2 + 1, std::uint64_t{100}, std::uint64_t{0}}) {
      file->truncate(shorter);
      CHECK(error_kind(kind, options) == FormatError::Kind::kTruncated);
    }
  }
}

TEST_CASE("damage: a log that is cut short is refused") {
  const TempFolder folder;
  const auto options = script::options(folder.path());
  commits(*redo().create(posix_storage(), options), 1, 2);
  posix_storage().open(options.path + ".log0", {})->truncate(5000);
  CHECK(error_kind(redo(), options) == FormatError::Kind::kTruncated);
}

TEST_CASE("damage: a file that is no heap is refused as such") {
  const TempFolder folder;
  const auto options = script::options(folder.path());
  std::ofstream(options.path) << "Dear diary, today I was taken for a heap.\n";
  CHECK(error_kind(redo(), options) == FormatError::Kind::kNotAHeap);
  CHECK(error_kind(*backend_by_name("journal"), options) == FormatError::Kind::kNotAHeap);
  CHECK(error_kind(*backend_by_name("copy"), options) == FormatError::Kind::kTruncated);
  CHECK(error_kind(*backend_by_name("plain"), options) == FormatError::Kind::kTruncated);
}

TEST_CASE("damage: files of another heap are not taken for this one's") {
  for (const BackendKind& kind : all_backends()) {
    if (!kind.failure_atomic || kind.needs_reflink) continue;
    CAPTURE(kind.name);
    const TempFolder folder;
    auto options = script::options(folder.path());
    commits(*kind.create(posix_storage(), options), 1, 3);
    options.identity = 43;
    CHECK_THROWS_AS(kind.open(posix_storage(), options), FormatError);
  }
}

TEST_CASE("damage: the rest of a torn commit never comes back to life") {
  // Commit 2 reaches the log except for its last page. After recovery another commit 2
  // is made, of which only the page that the first one lacked is on the medium.
  const TempFolder folder;
  const auto options = script::options(folder.path());
  const std::string log = options.path + ".log0";
  const auto write_two = [&](Backend& heap, char first, char second) {
    std::memset(heap.data(), first, 10);
    std::memset(heap.data() + kPageSize, second, 10);
    heap.commit();
  };
  const auto bytes_of = [&] {
    std::vector<std::byte> bytes(posix_storage().open(log, {})->size());
    read_all(*posix_storage().open(log, {}), bytes, 0);
    return bytes;
  };
  write_two(*redo().create(posix_storage(), options), '1', '1');
  const auto after_one = bytes_of();
  write_two(*redo().open(posix_storage(), options), '2', 'x');
  auto torn = bytes_of();
  // Record 1 takes pages 1 to 3, record 2 pages 4 to 6.
  std::memcpy(torn.data() + 6 * kPageSize, after_one.data() + 6 * kPageSize, kPageSize);
  write_all(*posix_storage().open(log, {}), torn, 0);
  auto heap = redo().open(posix_storage(), options);
  CHECK(heap->sequence() == 1);
  write_two(*heap, '3', 'x');
  heap.reset();
  // What the crash leaves: whatever was flushed before the record was written, of the
  // record only its last page.
  const auto made = bytes_of();
  std::vector<std::byte> left = torn;
  std::memset(left.data() + 4 * kPageSize, 0, 512);
  std::memcpy(left.data() + 6 * kPageSize, made.data() + 6 * kPageSize, kPageSize);
  write_all(*posix_storage().open(log, {}), left, 0);
  CHECK(redo().open(posix_storage(), options)->sequence() == 1);
  // The flush matters: with the old header there the discarded commit would be whole.
  std::memcpy(left.data() + 4 * kPageSize, torn.data() + 4 * kPageSize, 512);
  write_all(*posix_storage().open(log, {}), left, 0);
  CHECK(redo().open(posix_storage(), options)->sequence() == 2);
}

}  // namespace plugpull::test
