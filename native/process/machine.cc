#include "native/process/machine.h"

#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "native/process/descriptor.h"
#include "native/storage/error.h"

namespace plugpull {

void set_clock(std::uint64_t epoch_millis) {
  timespec now{};
  now.tv_sec = static_cast<time_t>(epoch_millis / 1000);
  now.tv_nsec = static_cast<long>(epoch_millis % 1000) * 1'000'000;
  if (::clock_settime(CLOCK_REALTIME, &now) < 0) throw OsError("clock_settime", "", errno);
}

void add_entropy(const void* bytes, std::size_t count) {
  constexpr std::size_t kMost = 256;
  struct {
    int bits;
    int size;
    char bytes[kMost];
  } pool{};
  const std::size_t taken = std::min(count, kMost);
  pool.bits = static_cast<int>(taken * 8);
  pool.size = static_cast<int>(taken);
  std::memcpy(pool.bytes, bytes, taken);
  const char* const path = "/dev/urandom";
  const Descriptor device(::open(path, O_RDWR | O_CLOEXEC));
  if (!device) throw OsError("open", path, errno);
  if (::ioctl(device.get(), RNDADDENTROPY, &pool) < 0) throw OsError("ioctl RNDADDENTROPY", path, errno);
  // Else what was added counts only after the next minute.
  if (::ioctl(device.get(), RNDRESEEDCRNG) < 0) throw OsError("ioctl RNDRESEEDCRNG", path, errno);
}

std::string kernel_log() {
  constexpr int kReadAll = 3;
  constexpr int kSize = 10;
  const int size = ::klogctl(kSize, nullptr, 0);
  if (size < 0) throw OsError("klogctl", "", errno);
  std::string text(static_cast<std::size_t>(size), '\0');
  const int count = ::klogctl(kReadAll, text.data(), size);
  if (count < 0) throw OsError("klogctl", "", errno);
  text.resize(static_cast<std::size_t>(count));
  return text;
}

}  // namespace plugpull
