#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace plugpull {

// Planted bugs: small faults, one each, that a torture test must find. Code that can
// be wrong on purpose asks `bugs.has(Bug::kX)` at exactly the place where the right
// code would do otherwise. A bug is on only in an object that was opened with its name
// in Options::planted; nothing in the environment can switch one on.
enum class Bug {
#define PLUGPULL_BUG(id, name, subject, figure_class, seen_by, workload, summary) id,
#include "native/planted/bugs.inc"
#undef PLUGPULL_BUG
};

// kKill: a SIGKILL can show it (a power cut can too); kError: only an error or short write
// injected into storage can.
enum class SeenBy { kKill, kCut, kError };

struct BugInfo {
  Bug id;
  std::string_view name;     // "redo.log-not-synced": what comes after "+bug:" in a target's name
  std::string_view subject;  // backend name, or "heap"
  int figure_class;          // class of wrong implementations it stands for, docs/planted-bugs.md
  SeenBy seen_by;
  std::string_view workload;  // one that shows it
  std::string_view summary;   // one sentence: what the code does wrong
};

std::span<const BugInfo> all_bugs() noexcept;
std::string_view seen_by_name(SeenBy seen_by) noexcept;  // "kill", "cut", "error"
std::optional<Bug> bug_by_name(std::string_view name) noexcept;

class PlantedBugs {
 public:
  PlantedBugs() = default;
  explicit PlantedBugs(Bug bug) : bug_(bug) {}
  bool has(Bug bug) const noexcept { return bug_ == bug; }
  std::optional<Bug> which() const noexcept { return bug_; }

 private:
  std::optional<Bug> bug_;
};

}  // namespace plugpull
