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
  // The folder in it that is to be checked.
  std::string data = "data";
  std::string mount_options;
  // How changes by the kernel are found. `auto`: it is seen by the kernel's tracepoint what it writes, and
  // what it reads; or, where that is not to be had, `compare`: the whole disk is compared after each state.
  // `trace`: only what it writes is seen, which is quicker.
  std::string undo = "auto";
  // What shows the states (see shown_disk.h): `loop`; or `zram`, which is quicker for some file systems, and
  // which is not taken where it is not to be had or where what the kernel writes is not seen.
  std::string device = "loop";
  // After every n-th state the whole disk is compared with what it should hold. 0: never.
  uint64_t audit_undo = 64;
  // Pages of events that each CPU holds while a state is shown; a power of two.
  uint64_t event_pages = 128;
  // Holes that audits must find: every n-th block that was read, or request to write, is passed over. 0:
  // none.
  uint64_t forget_reads = 0;
  uint64_t forget_writes = 0;
};

// Serves lines from standard input, one answer (`ok …` or `error …`) to each, until its end:
//   sees: `ok 1` if what the kernel reads and writes is seen, else `ok 0`
//   device: the block device on which states are mounted
//   digest EPOCH CHOICES…: for each of these states the digest of its content and, each after a colon, names
//     of what was learnt with which it agrees
//   try EPOCH CHOICES: makes the state and mounts it; `ok`, or `refused ERRNO TEXT` if it cannot be mounted
//   end: unmounts and forgets what was changed; `ok READS WRITES NAME BLOCKS`, the last two for what was read
//     of the state before it was overwritten, `- -` where that is not known. Once the disk was found to hold
//     anything else than it should this and all that would make a state answer `error`
//   checker FOLDER: takes over the process that checks (see resident_checker.h)
//   check MILLIS TIMES EPOCH CHOICES: `try`, so many checks, `end`, in one. `ok done READS WRITES NAME BLOCKS
//   ANSWERS`,
//     or `ok refused READS WRITES NAME BLOCKS ERRNO TEXT` if it cannot be mounted. ANSWERS are joined by
//     tabs. Or, and then the state is mounted yet and the caller has to see to the checker and to `end`: `ok
//     late ANSWERS` if a check took longer, `ok stopped ANSWERS` after a line `stop`, `ok busy ANSWERS` if it
//     cannot be unmounted
//   stop: ends the wait for a check; `ok`
//   learn NAME BLOCKS: the outcome of states that agree in these blocks is known
//   open EPOCH NAME CHOICES: `ok INDEX…`, the pending writes that are not among the choices and would change
//     what NAME's blocks hold; or `forgotten`
//   save EPOCH CHOICES FILE: writes the state to FILE as a trace (see docs/disk.md)
// Gives the exit status.
int explore(const ExplorerOptions& options);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_EXPLORER_H_
