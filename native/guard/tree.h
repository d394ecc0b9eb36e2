#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace plugpull::guard {

/** One process as /proc shows it. */
struct Process {
  pid_t pid = 0;
  pid_t group = 0;
  char state = '?';  ///< as in /proc/pid/stat: R, S, D, Z …
  std::string name;

  /** Has it ended already, and only waits to be reaped? */
  bool dead() const { return state == 'Z' || state == 'X'; }
};

/**
 * Every descendant of `root`, by /proc/<pid>/task/<tid>/children, or by the parents in /proc/<pid>/stat where
 * the kernel lacks that file. A snapshot: processes may come and go while it is taken, so whoever must have
 * them all asks again until nothing is left. `visit` is called for each before its children are read: what is
 * killed there forks no more, so none of its children can be missed. If it returns false the search ends.
 */
std::vector<pid_t> descendants(pid_t root, const std::function<bool(pid_t)>& visit = nullptr);

/** Reads what /proc says about a process. False if it is gone. */
bool read_process(pid_t pid, Process* process);

/**
 * Memory of a process that cannot be dropped and read again: anonymous and shared-memory pages, in bytes.
 * Mapped files are left out, since a store that maps a large file is not hungry. 0 if the process is gone.
 */
uint64_t memory_of(pid_t pid);

}  // namespace plugpull::guard
