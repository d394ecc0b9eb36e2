#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "native/fams/backend.h"

namespace plugpull::test {

// A folder of its own, removed with everything in it.
class TempFolder {
 public:
  explicit TempFolder(const std::string& parent = scratch_folder());
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  void clear() const;

  static std::string scratch_folder();  // in memory where the machine has that

 private:
  std::string path_;
};

// Where heaps of this backend can live: a scratch folder, or for `snap` the folder of
// PLUGPULL_REFLINK_DIR. Empty, with a message that names the reason, where there is none.
std::string folder_for(const BackendKind& kind);

// A deterministic history: what commit K changes depends on K alone. It grows, shrinks,
// shrinks and grows again in one commit, and always touches the last page.
namespace script {
inline constexpr std::size_t kSize = 12 * kPageSize;
inline constexpr std::uint64_t kCommits = 14;

void change(Backend& heap, std::uint64_t commit);
std::vector<std::byte> state(std::uint64_t commit);  // after that commit
bool holds(const Backend& heap, std::uint64_t commit);
BackendOptions options(const std::string& folder, TrackerKind tracker = TrackerKind::kAuto);
}  // namespace script

// What a process that may die tells: lives in memory that outlives it.
struct Outcome {
  std::int64_t acked = -1;  // newest commit that returned; 0 after create
  int steps = 0;            // passed
  char problem[200] = "";   // of a check
};

// Runs `body` in a child that kills itself at step `kill_at` (0: never). True if it ended
// by itself with status 0, false if it was killed by itself; fails the test otherwise.
bool run_killed_at(int kill_at, Outcome& outcome, const std::function<void(Outcome&)>& body);

// Shared between parent and children.
std::unique_ptr<Outcome, void (*)(Outcome*)> shared_outcome();

// What the sweep over all crash points found: empty if every state was right.
struct Sweep {
  std::vector<std::string> violations;
  int crashes = 0;
  int recovery_crashes = 0;
};

// Kills at every step of create, commits, checkpoint and reopening, and at every step of
// the recovery that follows; then compares with the acked state and the one after it.
// Ends with the first violation if told so.
Sweep sweep_kills(const BackendKind& kind, BackendOptions options, bool until_violation = false);

}  // namespace plugpull::test
