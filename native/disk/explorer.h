// Shows crash states of a recorded disk to the kernel, one after the other.
#ifndef PLUGPULL_NATIVE_DISK_EXPLORER_H_
#define PLUGPULL_NATIVE_DISK_EXPLORER_H_

#include <cstdint>
#include <string>

namespace plugpull::disk {

struct ExplorerOptions {
  std::string base;
  std::string trace;
  // Units in which a write can be torn.
  uint64_t unit = 4096;
  // Where states are mounted, and how.
  std::string folder;
  std::string type;
  std::string mount_options;
  // `trace`: see what the kernel writes by its tracepoint; `compare`: compare the whole disk after each
  // state; `auto`: the first of them that works.
  std::string undo = "auto";
};

// Serves lines from standard input, one answer (`ok …` or `error …`) to each, until its end:
//   digest EPOCH CHOICES…  digests of the contents of these states
//   try EPOCH CHOICES      makes the state and mounts it. `ok` or, if it cannot be mounted, `refused ERRNO
//   TEXT` again                  unmounts what is mounted and mounts it again as it is now end unmounts and
//   forgets what was changed: `ok READS WRITES` reads                  parts of the disk that were read since
//   `try`: `ok OFFSET+LENGTH …` save EPOCH CHOICES FILE  writes the state to FILE as a trace (see
//   docs/disk.md) map                    `ok N`, then N lines `PHYSICAL LENGTH LOGICAL FILE` for the files of
//   the mounted state freeze                 empties the file system's log
// Gives the exit status.
int explore(const ExplorerOptions& options);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_EXPLORER_H_
