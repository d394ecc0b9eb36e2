// Mounts for the controller, which has no system calls of its own: a line protocol.
#ifndef PLUGPULL_NATIVE_DISK_HAND_H_
#define PLUGPULL_NATIVE_DISK_HAND_H_

namespace plugpull::disk {

// Serves lines from standard input until its end; paths have no spaces:
//   attach FILE [direct]           `ok DEVICE`: a loop device that is given back when it is no longer mounted
//   mount DEVICE FOLDER TYPE OPTIONS   (`-`: none)
//   unmount FOLDER
//   quiesce FOLDER                 writes all out and empties the file system's log
//   map FOLDER                     see Explorer
// What is still mounted at the end is unmounted. Gives the exit status.
int hand();

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_HAND_H_
