#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>

namespace plugpull {

// Forks a worker. Returns 0 in the child, else its pid. The child is alone in a process
// group of its own, is killed by the kernel when the thread that forked it ends, reads /dev/null
// as stdin and writes its stdout into a pipe that wait_child reads; stderr is shared.
//
// Meant for a Node process that was started with --single-threaded. V8 marks its memory
// MADV_DONTFORK, which is taken back here first, for all anonymous memory. Throws OsError.
pid_t fork_child();

struct ChildLimits {
  std::uint64_t time_ms = 0;       // 0: none, as for the others
  std::uint64_t rss_bytes = 0;     // resident memory, what it shares with its parent included
  std::uint64_t output_bytes = 0;  // of stdout
};

struct ChildEnd {
  enum class Stopped { kNo, kTime, kMemory, kOutput };

  bool exited = false;  // else it was killed by a signal
  int status = 0;       // exit status, or the signal
  Stopped stopped = Stopped::kNo;
  std::uint64_t max_rss_bytes = 0;
  std::string output;  // bounded by the limit
};

// Waits until a child of fork_child has ended, reading its output; kills its process group
// at a limit; kills what is left of the group when the child has ended. Each child is
// waited for once: std::invalid_argument for a pid that is not a child waited for. Throws OsError.
ChildEnd wait_child(pid_t pid, const ChildLimits& limits);

}  // namespace plugpull
