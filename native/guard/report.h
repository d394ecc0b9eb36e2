#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "native/guard/tree.h"

namespace plugpull::guard {

/** How a tree ended: one JSON line on the control descriptor. */
struct Report {
  /** At most so many processes are named; `leftover_count` counts all. */
  static constexpr size_t kNamed = 64;

  int exit = -1;                   ///< exit status of the main child, -1 if a signal ended it
  int signal = 0;                  ///< signal that ended it, 0 if it exited
  bool killed = false;             ///< it was alive when we killed it, and died of that
  const char* stopped = nullptr;   ///< the limit that was hit: time, memory or processes
  std::vector<Process> leftovers;  ///< alive after the main child's end, or outside its process group
  uint64_t leftover_count = 0;
  std::vector<pid_t> survivors;  ///< still there when we gave up
  uint64_t max_memory = 0;       ///< most that the tree was seen to hold, bytes, mapped files left out
  uint64_t max_rss = 0;          ///< largest resident set of the main child or one that it waited for, bytes
  int64_t unread = -1;           ///< bytes on the program's stdin that it never read, -1 if unknown
  uint64_t micros = 0;           ///< from the start to the end of the main child
};

/** {"type":"ended",…} and a newline. */
std::string to_json(const Report& report);

/** {"type":"failed",…} and a newline: the program was not started. */
std::string failure_json(const std::string& what, int error);

/** `text` as a JSON string: quotes and control characters escaped, bytes that are not ASCII replaced. */
std::string json_string(const std::string& text);

}  // namespace plugpull::guard
