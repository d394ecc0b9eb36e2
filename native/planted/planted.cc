#include "native/planted/planted.h"

namespace plugpull {
namespace {

constexpr BugInfo kBugs[] = {
#define PLUGPULL_BUG(id, name, subject, figure_class, seen_by, workload, summary) \
  {Bug::id, name, subject, figure_class, SeenBy::seen_by, workload, summary},
#include "native/planted/bugs.inc"
#undef PLUGPULL_BUG
};

}  // namespace

std::span<const BugInfo> all_bugs() noexcept { return kBugs; }

std::string_view seen_by_name(SeenBy seen_by) noexcept {
  switch (seen_by) {
    case SeenBy::kKill:
      return "kill";
    case SeenBy::kCut:
      return "cut";
    case SeenBy::kError:
      return "error";
  }
  return "cut";
}

std::optional<Bug> bug_by_name(std::string_view name) noexcept {
  for (const BugInfo& bug : kBugs) {
    if (bug.name == name) return bug.id;
  }
  return std::nullopt;
}

}  // namespace plugpull
