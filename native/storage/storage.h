#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace plugpull {

using Bytes = std::span<std::byte>;
using ConstBytes = std::span<const std::byte>;

inline constexpr std::size_t kPageSize = 4096;

struct OpenMode {
  bool write = true;
  bool create = false;
  bool exclusive = false;
  bool truncate = false;
  unsigned permissions = 0600;
};

// One open file. pread and pwrite are as raw as POSIX: they may be short, and the
// caller must cope (see read_all and write_all in io.h). All others do the whole
// of what they say or throw OsError.
class File {
 public:
  virtual ~File() = default;

  virtual const std::string& path() const = 0;
  virtual std::size_t pread(Bytes out, std::uint64_t offset) = 0;
  virtual std::size_t pwrite(ConstBytes in, std::uint64_t offset) = 0;
  virtual void datasync() = 0;
  virtual void sync() = 0;
  virtual void truncate(std::uint64_t size) = 0;
  virtual std::uint64_t size() = 0;
  virtual unsigned permissions() = 0;
  virtual void chmod(unsigned permissions) = 0;
  // Makes this file share all extents of `source` (FICLONE); EOPNOTSUPP where the
  // file system cannot.
  virtual void clone_from(File& source) = 0;
  // Maps the first `length` bytes over [at, at + length), which lies in a
  // Reservation of the same Storage. Changes stay private to the process.
  virtual void map_private(std::byte* at, std::size_t length) = 0;
  // The same where the caller writes the whole of the pages `replaced` (numbers, ascending)
  // right afterwards: a storage that reads when it maps need not read those.
  virtual void map_private_except(std::byte* at, std::size_t length,
                                  [[maybe_unused]] std::span<const std::uint32_t> replaced) {
    map_private(at, length);
  }
  // As above, but the OS may write changes back at any time. Only `plain` does this.
  virtual void map_shared(std::byte* at, std::size_t length) = 0;
  // msync(MS_SYNC) of a part of a shared mapping.
  virtual void sync_mapping(std::byte* at, std::size_t length) = 0;
};

// Address space for one heap, reserved once for its largest size so that growth
// never moves it. Inaccessible until something is mapped into it.
class Reservation {
 public:
  virtual ~Reservation() = default;
  virtual std::byte* base() const = 0;
  virtual std::size_t size() const = 0;
  // Fresh zero pages, readable and writable, over [at, at + length).
  virtual void map_zero(std::byte* at, std::size_t length) = 0;
  // Back to inaccessible.
  virtual void unmap(std::byte* at, std::size_t length) = 0;
};

// The one door to files. `posix` is the real one; `model` keeps what is durable
// apart from what is pending; `faulty` wraps another and injects errors.
class Storage {
 public:
  virtual ~Storage() = default;

  virtual std::unique_ptr<File> open(const std::string& path, OpenMode mode) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void unlink(const std::string& path) = 0;
  // fsync of a directory: entries made, renamed or removed in it become durable.
  virtual void sync_directory(const std::string& path) = 0;
  // `fixed` = nullptr lets the OS choose the address; otherwise that address or an
  // OsError (never a silent other place).
  virtual std::unique_ptr<Reservation> reserve(std::size_t size, std::byte* fixed) = 0;
};

}  // namespace plugpull
