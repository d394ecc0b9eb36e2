#include "native/storage/posix_file.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "native/storage/error.h"

namespace plugpull {

PosixFile::~PosixFile() { ::close(descriptor_); }

void PosixFile::fail(const char* operation) const { throw OsError(operation, path_, errno); }

std::size_t PosixFile::pread(Bytes out, std::uint64_t offset) {
  for (;;) {
    const ssize_t got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) fail("pread");
  }
}

std::size_t PosixFile::pwrite(ConstBytes in, std::uint64_t offset) {
  for (;;) {
    const ssize_t put = ::pwrite(descriptor_, in.data(), in.size(), static_cast<off_t>(offset));
    if (put >= 0) return static_cast<std::size_t>(put);
    if (errno != EINTR) fail("pwrite");
  }
}

// A flush that failed is never tried again: the kernel may have dropped the pages and
// would report success (see "fsyncgate").
void PosixFile::datasync() {
  if (::fdatasync(descriptor_) != 0) fail("fdatasync");
}

void PosixFile::sync() {
  if (::fsync(descriptor_) != 0) fail("fsync");
}

void PosixFile::truncate(std::uint64_t size) {
  while (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
    if (errno != EINTR) fail("ftruncate");
  }
}

std::uint64_t PosixFile::size() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail("fstat");
  return static_cast<std::uint64_t>(status.st_size);
}

unsigned PosixFile::permissions() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail("fstat");
  return status.st_mode & 07777U;
}

void PosixFile::chmod(unsigned permissions) {
  if (::fchmod(descriptor_, permissions) != 0) fail("fchmod");
}

void PosixFile::clone_from(File& source) {
  auto* other = dynamic_cast<PosixFile*>(&source);
  if (other == nullptr) throw OsError("clone", path_, EXDEV);
  if (::ioctl(descriptor_, FICLONE, other->descriptor_) != 0) {
    // Some file systems say "no such ioctl" where others say "not supported".
    if (errno == ENOTTY || errno == ENOSYS) errno = EOPNOTSUPP;
    fail("clone");
  }
}

void PosixFile::map(std::byte* at, std::size_t length, int flags) {
  if (::mmap(at, length, PROT_READ | PROT_WRITE, flags | MAP_FIXED, descriptor_, 0) == MAP_FAILED)
    fail("mmap");
}

void PosixFile::map_private(std::byte* at, std::size_t length) {
  map(at, length, MAP_PRIVATE | MAP_NORESERVE);
}

void PosixFile::map_shared(std::byte* at, std::size_t length) { map(at, length, MAP_SHARED); }

void PosixFile::sync_mapping(std::byte* at, std::size_t length) {
  if (::msync(at, length, MS_SYNC) != 0) fail("msync");
}

}  // namespace plugpull
