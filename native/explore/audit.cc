#include "native/explore/audit.h"

#include <algorithm>
#include <unordered_set>

#include "native/explore/eager.h"

namespace plugpull {

Audit audit_point(const Trace& trace, const ExploreOptions& options, std::uint32_t point,
                  const Check& outcome, double limit) {
  Audit audit;
  ExploreOptions lazy = options;
  lazy.nested = 0;
  lazy.kill_first = false;
  lazy.max_states = ~std::uint64_t{0};
  Explorer explorer(trace, lazy);
  explorer.go_to(point);
  if (Eager(explorer.scene()).combinations() > limit) {
    audit.subsets = Eager(explorer.scene()).combinations();
    return audit;
  }

  std::set<unsigned> seen;
  audit.lazy = explorer
                   .explore_points({point},
                                   [&](CrashView& view, const StateInfo& info) {
                                     seen.insert(outcome(view, info));
                                     return 0U;
                                   })
                   .states;

  explorer.go_to(point);
  const StateInfo info{.acked = explorer.acked_at(point), .point = point};
  NameTable names = trace.paths;
  NameTable steps = trace.steps;
  std::unordered_set<std::uint64_t> contents;
  Eager(explorer.scene()).each([&](Scene& files, std::uint64_t hash) {
    ++audit.subsets;
    if (!contents.insert(hash).second) return;
    files.paths = &names;
    CrashView view(names, steps);
    view.show(files);
    view.begin();
    audit.outcomes.insert(outcome(view, info));
  });
  audit.contents = contents.size();
  std::ranges::set_difference(audit.outcomes, seen, std::inserter(audit.missed, audit.missed.end()));
  std::ranges::set_difference(seen, audit.outcomes, std::inserter(audit.invented, audit.invented.end()));
  audit.complete = true;
  return audit;
}

}  // namespace plugpull
