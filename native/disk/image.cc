#include "native/disk/image.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "native/disk/files.h"

namespace plugpull::disk {

uint64_t file_size(const std::string& path) {
  struct stat status {};
  check(stat(path.c_str(), &status), "stat " + path);
  return static_cast<uint64_t>(status.st_size);
}

void for_each_data(int fd, uint64_t size, const std::function<void(uint64_t, uint64_t)>& found) {
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  uint64_t at = 0;
  while (at < size) {
    const off_t data = lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) return;
    check(data < 0 ? -1 : 0, "find data");
    off_t hole = lseek(fd, data, SEEK_HOLE);
    check(hole < 0 ? -1 : 0, "find a hole");
    const uint64_t end = std::min(static_cast<uint64_t>(hole), size);
    for (at = static_cast<uint64_t>(data); at < end;) {
      const uint64_t length = std::min(kPiece, end - at);
      found(at, length);
      at += length;
    }
    at = end;
  }
}

}  // namespace plugpull::disk
