// System calls that either do all that was asked or throw std::system_error saying what failed.
#ifndef PLUGPULL_NATIVE_DISK_FILES_H_
#define PLUGPULL_NATIVE_DISK_FILES_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace plugpull::disk {

// Throws if `result` is negative, else gives it back.
int check(int result, const std::string& what);
[[noreturn]] void fail(int error, const std::string& what);

void write_all(int fd, const void* data, size_t size, const std::string& what);
void write_all_at(int fd, const void* data, size_t size, uint64_t offset, const std::string& what);
void read_all(int fd, void* data, size_t size, uint64_t offset, const std::string& what);

// A file descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  int get() const { return fd_; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1);

 private:
  int fd_;
};

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_FILES_H_
