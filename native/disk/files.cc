#include "native/disk/files.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace plugpull::disk {

void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

int check(int result, const std::string& what) {
  if (result < 0) fail(errno, what);
  return result;
}

void write_all(int fd, const void* data, size_t size, const std::string& what) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t count = write(fd, at, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(errno, what);
    at += count;
    size -= static_cast<size_t>(count);
  }
}

void write_all_at(int fd, const void* data, size_t size, uint64_t offset, const std::string& what) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t count = pwrite(fd, at, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(errno, what);
    at += count;
    offset += static_cast<uint64_t>(count);
    size -= static_cast<size_t>(count);
  }
}

void read_all(int fd, void* data, size_t size, uint64_t offset, const std::string& what) {
  char* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t count = pread(fd, at, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(errno, what);
    if (count == 0) fail(EIO, what + ": the file is shorter than it said");
    at += count;
    offset += static_cast<uint64_t>(count);
    size -= static_cast<size_t>(count);
  }
}

void Fd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

}  // namespace plugpull::disk
