#pragma once
#include <cstdint>
#include <set>

#include "native/explore/explorer.h"

namespace plugpull {

// Lazy exploration held against brute force at one point of a run.
struct Audit {
  double subsets = 0;           // combinations of the fates of all pending changes that the profile allows
  std::uint64_t contents = 0;   // different file systems among them
  std::uint64_t lazy = 0;       // states that lazy exploration visited
  std::set<unsigned> outcomes;  // of brute force
  std::set<unsigned> missed;    // those that lazy exploration did not see
  std::set<unsigned> invented;  // those that only lazy exploration saw
  bool complete = false;        // false: there are more combinations than `limit`, nothing was compared
};

// Builds every combination in full, by applying changes in order to copies of the files, checks each
// different one, and compares the set of the check's answers with that of exploration. Shares no code with
// how exploration reads. `outcome` may return any number that tells outcomes apart.
Audit audit_point(const Trace& trace, const ExploreOptions& options, std::uint32_t point,
                  const Check& outcome, double limit = 2e6);

}  // namespace plugpull
