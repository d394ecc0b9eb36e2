// Brings a file system to rest: all of it on its disk, and its log empty.
#ifndef PLUGPULL_NATIVE_DISK_QUIESCE_H_
#define PLUGPULL_NATIVE_DISK_QUIESCE_H_

#include <string>

namespace plugpull::disk {

// `folder`: where it is mounted. It is not frozen when this returns, nor when this process is killed on the
// way: a file system that is frozen and mounted nowhere keeps its device until the machine starts again.
// Throws std::system_error.
void quiesce(const std::string& folder);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_QUIESCE_H_
