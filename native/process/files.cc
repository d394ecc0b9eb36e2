#include "native/process/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "native/storage/error.h"

namespace plugpull {

std::vector<std::string> names_in(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(folder.c_str()), ::closedir);
  if (!stream) throw OsError("opendir", folder, errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) throw OsError("readdir", folder, errno);
  std::sort(names.begin(), names.end());
  return names;
}

struct stat status_of(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) throw OsError("lstat", path, errno);
  return status;
}

Descriptor open_to_read(const std::string& path, const struct stat& status) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
  Descriptor file(::open(path.c_str(), kFlags));
  if (file) return file;
  const mode_t permissions = status.st_mode & 07777;
  if (errno != EACCES || ::chmod(path.c_str(), permissions | S_IRUSR) != 0)
    throw OsError("open", path, errno);
  file = Descriptor(::open(path.c_str(), kFlags));
  const int error = errno;
  if (::chmod(path.c_str(), permissions) != 0) throw OsError("chmod", path, errno);
  if (!file) throw OsError("open", path, error);
  return file;
}

std::string read_link(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  if (length < 0) throw OsError("readlink", path, errno);
  return {target, static_cast<std::size_t>(length)};
}

DataRange next_data(const Descriptor& file, off_t from, off_t size) {
  if (from >= size) return {size, size};
  const off_t start = ::lseek(file.get(), from, SEEK_DATA);
  if (start < 0) return errno == ENXIO ? DataRange{size, size} : DataRange{from, size};
  const off_t end = ::lseek(file.get(), start, SEEK_HOLE);
  return {std::min(start, size), end < 0 ? size : std::min(end, size)};
}

}  // namespace plugpull
