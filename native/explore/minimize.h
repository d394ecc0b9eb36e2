#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "native/explore/explorer.h"

namespace plugpull {

// What became of one pending change in a crash state, in a form for reports.
struct ChangeFate {
  enum class Fate : std::uint8_t { kUnread, kKept, kLost, kTorn };
  Fate fate = Fate::kUnread;
  unsigned cut = 1;      // 1: of the recorded run, 2: of the recovery after the first cut …
  std::uint32_t op = 0;  // number of the operation there, from 1
  std::string what;      // "write", "size", "truncation", "mode", "clone", "creation", "rename", "unlink"
  std::string file;
  std::string other;  // rename: the new name; clone: the source
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::string step;    // the last step passed before it
  std::string detail;  // torn: what of it is there
};

struct Minimized {
  bool reproduced = false;  // false: the state does not violate any more
  unsigned verdict = 0;
  std::int64_t acked = -1;
  StatePath path;                   // of the smallest state found
  std::uint32_t point = 0;          // operations of the run that had happened at the cut
  std::vector<ChangeFate> changes;  // all that was pending there, lost and torn ones among them
  unsigned tries = 0;
};

// The smallest set of lost or torn changes that gives the same verdict as `path`: greedy removal in halves
// (Zeller and Hildebrandt 2002), then every single change by itself, then an earlier cut in place of losses.
Minimized minimize(Explorer& explorer, const StatePath& path, const Check& check, unsigned max_tries = 3000);

// What is pending, and its fate as far as it is known, in the state that the explorer visited last.
std::vector<ChangeFate> describe_changes(Explorer& explorer);

}  // namespace plugpull
