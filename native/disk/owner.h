// Whose a loop device is: told by the name of the file behind it.
#ifndef PLUGPULL_NATIVE_DISK_OWNER_H_
#define PLUGPULL_NATIVE_DISK_OWNER_H_

#include <string>

namespace plugpull::disk {

// `plugpull-disk-PID-START-NAMESPACE`: numbers of this process, of the moment at which it started and of its
// PID namespace. No other process ever has the same, as long as the machine runs.
std::string owner_name();

// Is `backing` the path of such a file (in memory, or at the root of a mount), as the kernel names it, whose
// process is surely gone? Not where we cannot know: processes of another namespace are not ours to see.
bool owner_is_gone(const std::string& backing);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_OWNER_H_
