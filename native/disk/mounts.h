// Mounting and mapping file systems.
#ifndef PLUGPULL_NATIVE_DISK_MOUNTS_H_
#define PLUGPULL_NATIVE_DISK_MOUNTS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace plugpull::disk {

// Is this process in a mount namespace other than that of process 1? Mounts are made only there.
bool in_private_namespace();

// All throw std::system_error.
// `options`: comma-separated, as for mount(8); flags that the kernel does not take as text (noatime, ro …)
// are known.
void mount_device(const std::string& device, const std::string& folder, const std::string& type,
                  const std::string& options);
// Waits a little for late closers.
void unmount(const std::string& folder);

struct Extent {
  std::string file;  // relative to the folder
  uint64_t logical = 0;
  uint64_t physical = 0;
  uint64_t length = 0;
};

// Where the data of all regular files below `folder` lie (FIEMAP, without syncing first). At most `limit`
// extents.
std::vector<Extent> map_files(const std::string& folder, size_t limit);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_MOUNTS_H_
