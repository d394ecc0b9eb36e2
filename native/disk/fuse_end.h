// Ends the FUSE connection of a recorder that hangs when nobody needs it any more.
#ifndef PLUGPULL_NATIVE_DISK_FUSE_END_H_
#define PLUGPULL_NATIVE_DISK_FUSE_END_H_

#include <string>

namespace plugpull::disk {

// Number of the FUSE connection mounted at `folder`, from the text of /proc/self/mountinfo (the folder itself
// must never be touched: that would ask the one who may hang). -1: not found.
int connection_of(const std::string& mountinfo, const std::string& folder);

// What that process does. Descriptor 3 is a pidfd of the recorder. Gives its exit status.
int end_fuse(const std::string& abort_file);

// A process beside the recorder. When the recorder's standard input has ended (its starter is gone, or done
// with it) and it is still there ten seconds later, the connection is aborted: not even SIGKILL ends a daemon
// that waits for memory which only it could make free, but that does.
class FuseEnd {
 public:
  explicit FuseEnd(const std::string& folder);
};

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_FUSE_END_H_
