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
  // Every n-th block that was read is passed over: a hole that the audit of the read-sets must find. 0: none.
  uint64_t forget_reads = 0;
};

// Serves lines from standard input, one answer (`ok …` or `error …`) to each, until its end:
//   sees: `ok 1` if what the kernel reads and writes is seen, else `ok 0`
//   digest EPOCH CHOICES…: for each of these states the digest of its content and, each after a colon, names
//     of what was learnt with which it agrees
//   try EPOCH CHOICES: makes the state and mounts it; `ok`, or `refused ERRNO TEXT` if it cannot be mounted
//   again: unmounts what is mounted and mounts it again as it is now
//   end: unmounts and forgets what was changed; `ok READS WRITES NAME BLOCKS`, the last two for what was read
//     of the state before it was overwritten, `- -` where that is not known
//   learn NAME BLOCKS: the outcome of states that agree in these blocks is known
//   open EPOCH NAME CHOICES: `ok INDEX…`, the pending writes that are not among the choices and would change
//     what NAME's blocks hold; or `forgotten`
//   reads: `ok OFFSET+LENGTH …`, the parts of the disk that were read since `try`
//   save EPOCH CHOICES FILE: writes the state to FILE as a trace (see docs/disk.md)
//   map: `ok N`, then N lines `PHYSICAL LENGTH LOGICAL FILE` for the files of the mounted state
//   freeze: empties the file system's log
// Gives the exit status.
int explore(const ExplorerOptions& options);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_EXPLORER_H_
