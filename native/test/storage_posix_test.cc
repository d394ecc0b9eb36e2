#include "native/storage/posix.h"

#include <doctest/doctest.h>

#include <cstring>
#include <stdexcept>

#include "native/storage/error.h"
#include "native/storage/faulty.h"
#include "native/storage/io.h"
#include "native/test/fams_support.h"

namespace plugpull::test {
namespace {

std::vector<std::byte> bytes(const char* text) {
  const auto* start = reinterpret_cast<const std::byte*>(text);
  return {start, start + std::strlen(text)};
}

int error_of(const std::function<void()>& call, const std::string& operation) {
  try {
    call();
  } catch (const OsError& error) {
    CHECK(error.operation() == operation);
    CHECK(std::string(error.what()).find(error.path()) != std::string::npos);
    return error.error();
  }
  return 0;
}

}  // namespace

TEST_CASE("posix: reads, writes, truncates and renames files") {
  Storage& storage = posix_storage();
  const TempFolder folder;
  auto file = storage.open(folder.file("a"), {.create = true, .exclusive = true});
  write_all(*file, bytes("hello world"), 3);
  CHECK(file->size() == 14);
  std::vector<std::byte> out(100, std::byte{9});
  CHECK(read_all(*file, out, 8) == 6);
  CHECK(std::memcmp(out.data(), " world", 6) == 0);
  file->truncate(5);
  CHECK(file->size() == 5);
  file->chmod(0400);
  CHECK(file->permissions() == 0400);
  file->sync();
  file->datasync();
  storage.rename(folder.file("a"), folder.file("b"));
  storage.sync_directory(folder.path());
  CHECK(!storage.exists(folder.file("a")));
  CHECK(storage.exists(folder.file("b")));
  storage.unlink(folder.file("b"));
  CHECK(!storage.exists(folder.file("b")));
}

TEST_CASE("posix: errors carry operation, path and errno") {
  Storage& storage = posix_storage();
  const TempFolder folder;
  CHECK(error_of([&] { storage.open(folder.file("none"), {}); }, "open") == ENOENT);
  storage.open(folder.file("a"), {.create = true});
  CHECK(error_of([&] { storage.open(folder.file("a"), {.create = true, .exclusive = true}); }, "open") ==
        EEXIST);
  CHECK(error_of([&] { storage.rename(folder.file("none"), folder.file("x")); }, "rename") == ENOENT);
  CHECK(error_of([&] { storage.unlink(folder.file("none")); }, "unlink") == ENOENT);
  CHECK(error_of([&] { storage.sync_directory(folder.file("a")); }, "open") == ENOTDIR);
  const auto read_only = storage.open(folder.file("a"), {.write = false});
  CHECK(error_of([&] { read_only->pwrite(bytes("x"), 0); }, "pwrite") == EBADF);
  CHECK(error_of([&] { read_only->truncate(1); }, "ftruncate") == EINVAL);
  CHECK(OsError("pwrite", "/x", ENOSPC).what() == std::string("pwrite /x: No space left on device"));
}

TEST_CASE("posix: a private mapping keeps its changes to itself, a shared one does not") {
  Storage& storage = posix_storage();
  const TempFolder folder;
  const auto file = storage.open(folder.file("a"), {.create = true});
  file->truncate(2 * kPageSize);
  const auto reservation = storage.reserve(8 * kPageSize, nullptr);
  std::byte* const base = reservation->base();
  std::byte byte{};
  file->map_private(base, 2 * kPageSize);
  base[10] = std::byte{1};
  file->pread({&byte, 1}, 10);
  CHECK(byte == std::byte{0});
  file->map_shared(base, 2 * kPageSize);
  base[10] = std::byte{2};
  file->sync_mapping(base, kPageSize);
  file->pread({&byte, 1}, 10);
  CHECK(byte == std::byte{2});
  reservation->map_zero(base + 2 * kPageSize, 2 * kPageSize);
  CHECK(base[3 * kPageSize] == std::byte{0});
  reservation->unmap(base, 4 * kPageSize);
}

TEST_CASE("posix: a fixed address is taken or refused, never replaced by another one") {
  Storage& storage = posix_storage();
  std::byte* free_place = storage.reserve(16 * kPageSize, nullptr)->base();
  const auto first = storage.reserve(16 * kPageSize, free_place);
  CHECK(first->base() == free_place);
  CHECK(error_of([&] { storage.reserve(16 * kPageSize, free_place + 4 * kPageSize); }, "mmap") == EEXIST);
}

TEST_CASE("io: directories of paths, and syncing all of them") {
  CHECK(directory_of("/a/b") == "/a");
  CHECK(directory_of("/a") == "/");
  CHECK(directory_of("a") == ".");
  CHECK(directory_of("a/b/c") == "a/b");
  const TempFolder folder;
  FaultyStorage counting(posix_storage(), {});
  sync_directory_chain(counting, "/dev/shm");
  CHECK(counting.calls("sync_directory") == 3);
  FaultyStorage forbidden(posix_storage(), {"sync_directory", 2, EACCES, {}});
  CHECK_NOTHROW(sync_directory_chain(forbidden, folder.path()));
  FaultyStorage broken(posix_storage(), {"sync_directory", 2, EIO, {}});
  CHECK_THROWS_AS(sync_directory_chain(broken, folder.path()), OsError);
  FaultyStorage first(posix_storage(), {"sync_directory", 1, EACCES, {}});
  CHECK_THROWS_AS(sync_directory_chain(first, folder.path()), OsError);
}

TEST_CASE("faulty: fails exactly the call that was named, and counts all") {
  const TempFolder folder;
  FaultyStorage storage(posix_storage(), {"pwrite", 2, ENOSPC, {}});
  const auto file = storage.open(folder.file("a"), {.create = true});
  file->pwrite(bytes("one"), 0);
  CHECK(error_of([&] { file->pwrite(bytes("two"), 0); }, "pwrite") == ENOSPC);
  CHECK(file->pwrite(bytes("three"), 0) == 5);
  CHECK(storage.calls("pwrite") == 3);
  CHECK(storage.calls("open") == 1);
  CHECK(storage.fired());
  FaultyStorage shorter(posix_storage(), {"pread", 1, 0, 2});
  const auto again = shorter.open(folder.file("a"), {});
  std::vector<std::byte> out(5);
  CHECK(again->pread(out, 0) == 2);
  CHECK(again->pread(out, 0) == 5);
  CHECK_THROWS_AS(FaultyStorage(posix_storage(), {"explode", 1, EIO, {}}), std::invalid_argument);
}

}  // namespace plugpull::test
