#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "native/storage/storage.h"

namespace plugpull {

// One injected error. Operations: open, pread, pwrite, datasync, sync, truncate, chmod,
// clone, map (file, zero or reservation), msync, rename, unlink, sync_directory, size.
struct FaultPlan {
  std::string operation;
  std::uint64_t nth = 0;                   // 1-based over the life of the storage; 0: never
  int error = 0;                           // errno; the call is not made
  std::optional<std::size_t> short_bytes;  // pread and pwrite: at most so many bytes instead of an error
};

// Wraps another storage and makes one call fail. Calls are counted, so that a test can
// first run without a fault and then sweep every nth call of every operation. Only that
// one call fails: what is tried again afterwards succeeds, as with a real fsync.
class FaultyStorage final : public Storage {
 public:
  static constexpr std::array<std::string_view, 14> kOperations = {
      "open",  "pread", "pwrite", "datasync", "sync",   "truncate",       "chmod",
      "clone", "map",   "msync",  "rename",   "unlink", "sync_directory", "size"};

  // Throws std::invalid_argument for an operation that does not exist.
  FaultyStorage(Storage& inner, FaultPlan plan);

  std::uint64_t calls(std::string_view operation) const;
  bool fired() const { return fired_; }

  std::unique_ptr<File> open(const std::string& path, OpenMode mode) override;
  bool exists(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void unlink(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::unique_ptr<Reservation> reserve(std::size_t size, std::byte* fixed) override;

  // For its files: throws if this call is the one, and returns how many of `length`
  // bytes may be moved.
  std::size_t pass(std::string_view operation, const std::string& path, std::size_t length = 0);

 private:
  static std::size_t index_of(std::string_view operation);

  Storage& inner_;
  FaultPlan plan_;
  std::size_t planned_;
  std::array<std::atomic<std::uint64_t>, kOperations.size()> calls_{};
  std::atomic<bool> fired_ = false;
};

}  // namespace plugpull
