#include "native/storage/posix.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "native/storage/error.h"
#include "native/storage/posix_file.h"

namespace plugpull {
namespace {

constexpr const char* kAddressSpace = "(address space)";

class PosixReservation final : public Reservation {
 public:
  PosixReservation(std::byte* base, std::size_t size) : base_(base), size_(size) {}
  ~PosixReservation() override { ::munmap(base_, size_); }
  PosixReservation(const PosixReservation&) = delete;
  PosixReservation& operator=(const PosixReservation&) = delete;

  std::byte* base() const override { return base_; }
  std::size_t size() const override { return size_; }

  void map_zero(std::byte* at, std::size_t length) override {
    map(at, length, PROT_READ | PROT_WRITE);
    // With huge pages a single changed byte would count as 512 changed pages.
    (void)::madvise(at, length, MADV_NOHUGEPAGE);
  }

  void unmap(std::byte* at, std::size_t length) override { map(at, length, PROT_NONE); }

 private:
  static void map(std::byte* at, std::size_t length, int protection) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (::mmap(at, length, protection, kFlags, -1, 0) == MAP_FAILED)
      throw OsError("mmap", kAddressSpace, errno);
  }

  std::byte* base_;
  std::size_t size_;
};

int open_descriptor(const std::string& path, int flags, unsigned permissions) {
  for (;;) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, permissions);
    if (descriptor >= 0) return descriptor;
    if (errno != EINTR) throw OsError("open", path, errno);
  }
}

class PosixStorage final : public Storage {
 public:
  std::unique_ptr<File> open(const std::string& path, OpenMode mode) override {
    int flags = mode.write ? O_RDWR : O_RDONLY;
    if (mode.create) flags |= O_CREAT;
    if (mode.exclusive) flags |= O_EXCL;
    if (mode.truncate) flags |= O_TRUNC;
    return std::make_unique<PosixFile>(open_descriptor(path, flags, mode.permissions), path);
  }

  bool exists(const std::string& path) override {
    if (::access(path.c_str(), F_OK) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    throw OsError("access", path, errno);
  }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) throw OsError("rename", from, errno);
  }

  void unlink(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) throw OsError("unlink", path, errno);
  }

  void sync_directory(const std::string& path) override {
    PosixFile directory(open_descriptor(path, O_RDONLY | O_DIRECTORY, 0), path);
    directory.sync();
  }

  std::unique_ptr<Reservation> reserve(std::size_t size, std::byte* fixed) override {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    if (fixed != nullptr) flags |= MAP_FIXED_NOREPLACE;
    void* got = ::mmap(fixed, size, PROT_NONE, flags, -1, 0);
    if (got == MAP_FAILED) throw OsError("mmap", kAddressSpace, errno);
    auto* base = static_cast<std::byte*>(got);
    if (fixed != nullptr && base != fixed) {  // a kernel too old for MAP_FIXED_NOREPLACE took it as a hint
      ::munmap(got, size);
      throw OsError("mmap", kAddressSpace, EEXIST);
    }
    return std::make_unique<PosixReservation>(base, size);
  }
};

}  // namespace

Storage& posix_storage() noexcept {
  static PosixStorage storage;
  return storage;
}

}  // namespace plugpull
