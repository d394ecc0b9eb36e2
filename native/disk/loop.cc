#include "native/disk/loop.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "native/disk/outlive.h"
#include "native/disk/owner.h"

namespace plugpull::disk {

namespace {

// Others may take the free device between our asking for it and our using it.
constexpr int kAttempts = 64;

}  // namespace

Loop attach_loop(int backing, bool direct, bool autoclear) {
  const Fd control(check(open("/dev/loop-control", O_RDWR | O_CLOEXEC), "open /dev/loop-control"));
  for (int attempt = 0;; attempt++) {
    const int number = check(ioctl(control.get(), LOOP_CTL_GET_FREE), "find a free loop device");
    Loop loop;
    loop.path = "/dev/loop" + std::to_string(number);
    loop.held.reset(open(loop.path.c_str(), O_RDWR | O_CLOEXEC));
    if (loop.held.get() < 0 && errno == ENOENT) {
      // No devtmpfs to make the node for us.
      if (mknod(loop.path.c_str(), S_IFBLK | 0600, makedev(7, static_cast<unsigned>(number))) < 0 &&
          errno != EEXIST) {
        fail(errno, "make " + loop.path);
      }
      loop.held.reset(open(loop.path.c_str(), O_RDWR | O_CLOEXEC));
    }
    check(loop.held.get(), "open " + loop.path);
    loop_config config{};
    config.fd = static_cast<unsigned>(backing);
    config.block_size = 512;
    if (direct) config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
    if (autoclear) config.info.lo_flags |= LO_FLAGS_AUTOCLEAR;
    if (ioctl(loop.held.get(), LOOP_CONFIGURE, &config) == 0) {
      struct stat status {};
      check(fstat(loop.held.get(), &status), "stat " + loop.path);
      loop.major = major(status.st_rdev);
      loop.minor = minor(status.st_rdev);
      return loop;
    }
    if (errno != EBUSY || attempt >= kAttempts) fail(errno, "attach to " + loop.path);
  }
}

void detach_loop(const std::string& path, dev_t device, ino_t inode) noexcept {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  loop_info64 info{};
  if (ioctl(fd, LOOP_GET_STATUS64, &info) == 0 && info.lo_inode == inode && info.lo_device == device) {
    ioctl(fd, LOOP_CLR_FD);
  }
  close(fd);
}

void sweep_loops() noexcept {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/block", error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("loop")) continue;
    const std::filesystem::path backing = entry.path() / "loop" / "backing_file";
    if (!std::filesystem::exists(backing, error)) continue;
    // As long as it is open nobody can attach something else to it.
    const Fd loop(open(("/dev/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    std::string file;
    if (loop.get() < 0 || !std::getline(std::ifstream(backing), file)) continue;
    if (owner_is_gone(file)) ioctl(loop.get(), LOOP_CLR_FD);
  }
}

Fd guard_loop(const Loop& loop, int backing) {
  struct stat status {};
  check(fstat(backing, &status), "stat the image");
  return when_gone("plugpull-unloop", [&] { detach_loop(loop.path, status.st_dev, status.st_ino); });
}

}  // namespace plugpull::disk
