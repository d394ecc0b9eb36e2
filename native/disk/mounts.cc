#include "native/disk/mounts.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>
#include <sstream>

#include "native/disk/files.h"

namespace plugpull::disk {

namespace {

struct Flag {
  const char* name;
  unsigned long value;
};
constexpr Flag kFlags[] = {
    {"ro", MS_RDONLY},         {"noatime", MS_NOATIME},        {"nodiratime", MS_NODIRATIME},
    {"sync", MS_SYNCHRONOUS},  {"dirsync", MS_DIRSYNC},        {"lazytime", MS_LAZYTIME},
    {"nodev", MS_NODEV},       {"nosuid", MS_NOSUID},          {"noexec", MS_NOEXEC},
    {"relatime", MS_RELATIME}, {"strictatime", MS_STRICTATIME}};

constexpr int kUnmountMillis = 2000;
constexpr unsigned kExtentsAtOnce = 64;

}  // namespace

bool in_private_namespace() {
  char own[64] = {};
  char first[64] = {};
  if (readlink("/proc/self/ns/mnt", own, sizeof own - 1) < 0) return false;
  // Unreadable: then we are not the one who owns it, which is private enough.
  if (readlink("/proc/1/ns/mnt", first, sizeof first - 1) < 0) return true;
  return std::strcmp(own, first) != 0;
}

void mount_device(const std::string& device, const std::string& folder, const std::string& type,
                  const std::string& options) {
  unsigned long flags = 0;
  std::string text;
  std::istringstream words(options);
  for (std::string word; std::getline(words, word, ',');) {
    bool known = word.empty() || word == "rw" || word == "defaults";
    for (const Flag& flag : kFlags) {
      if (word != flag.name) continue;
      flags |= flag.value;
      known = true;
    }
    if (!known) text += (text.empty() ? "" : ",") + word;
  }
  check(mount(device.c_str(), folder.c_str(), type.c_str(), flags, text.c_str()), "mount " + type);
}

void unmount(const std::string& folder) {
  for (int waited = 0;; waited++) {
    if (umount2(folder.c_str(), UMOUNT_NOFOLLOW) == 0) return;
    if (errno != EBUSY || waited >= kUnmountMillis) fail(errno, "unmount " + folder);
    const timespec moment{0, 1'000'000};
    nanosleep(&moment, nullptr);
  }
}

std::vector<Extent> map_files(const std::string& folder, size_t limit) {
  std::vector<Extent> extents;
  const auto buffer =
      std::make_unique<char[]>(sizeof(struct fiemap) + kExtentsAtOnce * sizeof(struct fiemap_extent));
  auto* map = reinterpret_cast<struct fiemap*>(buffer.get());
  std::error_code error;
  const auto options = std::filesystem::directory_options::skip_permission_denied;
  // Files come and go while we look; what is gone has no extents.
  for (auto entry = std::filesystem::recursive_directory_iterator(folder, options, error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    if (!entry->is_regular_file(gone) || entry->is_symlink(gone)) continue;
    const Fd fd(open(entry->path().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (fd.get() < 0) continue;
    uint64_t next = 0;
    for (bool more = true; more && extents.size() < limit;) {
      std::memset(map, 0, sizeof *map);
      map->fm_start = next;
      map->fm_length = FIEMAP_MAX_OFFSET - next;
      map->fm_extent_count = kExtentsAtOnce;
      if (ioctl(fd.get(), FS_IOC_FIEMAP, map) < 0 || map->fm_mapped_extents == 0) break;
      for (unsigned i = 0; i < map->fm_mapped_extents && extents.size() < limit; i++) {
        const struct fiemap_extent& extent = map->fm_extents[i];
        next = extent.fe_logical + extent.fe_length;
        if ((extent.fe_flags & FIEMAP_EXTENT_LAST) != 0) more = false;
        if ((extent.fe_flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DATA_INLINE)) != 0) continue;
        extents.push_back({std::filesystem::relative(entry->path(), folder, gone).string(), extent.fe_logical,
                           extent.fe_physical, extent.fe_length});
      }
    }
  }
  return extents;
}

}  // namespace plugpull::disk
