#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "native/explore/chooser.h"
#include "native/explore/crash_view.h"
#include "native/explore/scene.h"
#include "native/explore/tear.h"
#include "native/model/profile.h"
#include "native/model/recording.h"

namespace plugpull {

struct ExploreOptions {
  const Profile* profile = nullptr;  // nullptr: posix
  TearRule tear = TearRule::kEdges;
  std::uint32_t random_tears = 0;  // further ways for each write, from the seed
  std::uint64_t seed = 1;
  std::uint64_t max_states = 100'000;
  // Cuts again after each operation of recovery, so many times.
  unsigned nested = 0;
  std::uint64_t nested_states = 64;  // at most so many in one place
  // Also: the process dies but not the machine, recovery runs, then the power is cut.
  bool kill_first = false;
  std::size_t memory_bytes = std::size_t{64} << 20;  // for remembering which states were seen
  bool stop_at_first = false;
};

// One crash state, named so that it can be made again: the number of operations that had happened, the
// decisions, and the same for each cut during recovery. "17:0.1.3", "17:0.1/4:0", "17k/4:1".
struct StatePath {
  struct Cut {
    std::uint32_t point = 0;
    bool kill = false;  // only the process died here
    std::vector<std::uint32_t> taken{};
  };
  std::vector<Cut> cuts;

  std::string text() const;
  // std::invalid_argument if it is none.
  static StatePath parse(const std::string& text);
};

// What a check is told about the state it looks at.
struct StateInfo {
  std::int64_t acked = -1;  // newest commit known to be durable; -1: not even the creation
  std::uint32_t point = 0;  // operations of the recorded run that had happened
  unsigned cuts = 1;        // 2: the power was cut again during recovery …
};

// Recovers and checks one state: 0 is right, anything else is the class of what is wrong. If recovery gave
// a state it says so by view.ack(), because later cuts must not lose it.
using Check = std::function<unsigned(CrashView&, const StateInfo&)>;

struct Violation {
  StatePath path;
  unsigned verdict = 0;
  std::int64_t acked = -1;
};

struct Explored {
  std::uint64_t states = 0;    // looked at
  std::uint64_t distinct = 0;  // of them different
  double of = 0;               // how many there are; estimated where `exhaustive` is false
  bool exhaustive = true;
  std::uint64_t points = 0;  // places of the run at which something was pending or acked
  std::uint64_t nested = 0;  // of the states: those with more than one cut
  std::map<unsigned, std::uint64_t> verdicts;
  std::map<std::string, std::uint64_t> steps;  // states whose crash can have fallen after this step
  std::vector<Violation> violations;           // the first of each class and step, bounded
  bool stopped = false;
};

// Explores the crash states of one recorded run.
//
// Points of the run between two flushes (or acks) need no exploration of their own: every state at them is
// also a state just before the next flush, in which the later operations did not persist.
class Explorer {
 public:
  Explorer(const Trace& trace, ExploreOptions options);

  // Visits states until all are seen or max_states were, all of them where they fit. `stop` is polled.
  Explored explore(const Check& check, const std::function<bool()>& stop = {});
  // The same at the given points alone (ascending).
  Explored explore_points(const std::vector<std::uint32_t>& points, const Check& check,
                          const std::function<bool()>& stop = {});
  // Makes one state again; returns what the check says.
  unsigned replay(const StatePath& path, const Check& check);
  // Makes the state in which pending changes have the fates that `assignment` wants.
  unsigned assigned(std::uint32_t point, const Assignment& assignment, const Check& check);

  // The scene at the point visited last, for reports.
  Scene& scene() { return *scene_; }
  // Where a change of the scene comes from: its recording (the run's, or one of a recovery), its place there,
  // and the number of the cut that could undo it. nullptr: it is recovery's own, since the last cut.
  const Recording* recording_of(const Pending& change) const;
  std::uint32_t index_of(const Pending& change) const;
  unsigned cut_of(const Pending& change) const;
  const NameTable& names() const { return names_; }
  const NameTable& steps() const { return steps_; }
  const Trace& trace() const { return trace_; }
  const ExploreOptions& options() const { return options_; }
  Chooser& chooser() { return chooser_; }
  CrashView& view() { return view_; }
  // Brings the scene to the point after `point` operations.
  void go_to(std::uint32_t point);
  // Path of the state visited last (or being visited).
  StatePath path() const;
  std::int64_t acked_at(std::uint32_t point) const;
  // The numbers of operations after which exploration looks.
  const std::vector<std::uint32_t>& points() const { return points_; }

 private:
  struct SegmentStep {
    NameId name;
    std::uint32_t until;  // the crash fell after it only if nothing later persisted
  };

  // Operations that the scene has taken in, after `first` others of the same level.
  struct Part {
    std::uint8_t level;
    std::uint32_t first;
    unsigned cut;
    const Recording* recording;
  };

  // A point, and how far the search of its states has got.
  struct Unfinished {
    std::uint32_t point = 0;
    std::vector<std::uint32_t> next{};  // decisions of the state that comes next
    std::uint64_t leaves = 0;           // seen before it
  };

  std::uint64_t share_of(std::uint64_t limit, std::size_t parts) const;
  void begin_scene();
  std::uint32_t point_before(std::uint32_t point) const;
  void find_steps(std::uint32_t before, std::uint32_t point);
  const Part* part_of(const Pending& change) const;
  unsigned run(const Check& check, const StateInfo& info);
  bool visit(const StateInfo& info);
  void count(const StateInfo& info, unsigned verdict);
  void count_steps(std::uint32_t last_kept);
  // explore_point.cc
  bool explore_point(Unfinished& work, std::uint64_t share);
  void sample_point(const Unfinished& work, std::uint64_t limit);
  bool remember_state();
  // nested.cc
  void nest(const StateInfo& info, std::size_t mark);
  void nest_in(const StateInfo& info, std::size_t mark, bool kill);
  void explore_nested(const StateInfo& info);
  void kill_then_cut(const StateInfo& info);

  const Trace& trace_;
  ExploreOptions options_;
  const Profile& profile_;
  TearFamilies families_;
  Chooser chooser_;
  NameTable names_;
  NameTable steps_;
  std::unique_ptr<Scene> scene_;
  CrashView view_;  // the same object for all scenes
  std::vector<std::uint32_t> points_;
  std::uint32_t at_ = 0;  // operations the scene has taken in
  std::vector<Part> parts_;
  StatePath current_;
  std::uint32_t floor_ = 0;  // decisions that belong to earlier cuts
  // During explore():
  const Check* check_ = nullptr;
  const std::function<bool()>* stop_ = nullptr;
  Explored result_;
  std::unordered_set<std::uint64_t> seen_;  // at this point
  std::map<std::pair<unsigned, std::uint32_t>, std::uint64_t> found_;
  std::vector<SegmentStep> segment_;
  std::vector<std::uint64_t> step_counts_;
  std::deque<Recording> done_;  // what recovery did, by the number of cuts before
};

}  // namespace plugpull
