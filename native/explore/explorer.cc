#include "native/explore/explorer.h"

#include <algorithm>

#include "native/explore/mix.h"

namespace plugpull {
namespace {

std::vector<std::uint32_t> points_of(const Trace& trace) {
  std::vector<std::uint32_t> points;
  const auto& ops = trace.recording.ops();
  bool news = true;  // something since the last point that a state could show
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    const OpKind kind = ops[i].kind;
    if ((is_flush(kind) || kind == OpKind::kAck) && news) {
      points.push_back(i);
      news = false;
    }
    if (is_change(kind) || kind == OpKind::kAck || kind == OpKind::kStep) news = true;
  }
  if (news) points.push_back(static_cast<std::uint32_t>(ops.size()));
  return points;
}

}  // namespace

Explorer::Explorer(const Trace& trace, ExploreOptions options)
    : trace_(trace),
      options_(options),
      profile_(options.profile != nullptr ? *options.profile : *profile_by_name("posix")),
      families_(options.tear, options.random_tears),
      names_(trace.paths),
      steps_(trace.steps),
      view_(names_, steps_),
      points_(points_of(trace)) {
  begin_scene();
}

void Explorer::begin_scene() {
  scene_ = std::make_unique<Scene>(profile_, families_, chooser_);
  scene_->paths = &names_;
  view_.show(*scene_);
  at_ = 0;
}

void Explorer::go_to(std::uint32_t point) {
  const auto& ops = trace_.recording.ops();
  if (point > ops.size()) {
    throw std::invalid_argument("the run has " + std::to_string(ops.size()) + " operations, not " +
                                std::to_string(point));
  }
  scene_->rewind(0);
  scene_->record_undo(false);
  chooser_.restart(Chooser::Policy::kFirst);
  if (point < at_) begin_scene();
  for (; at_ < point; ++at_) {
    scene_->apply(ops[at_], trace_.recording, at_ + 1, Scene::Fate::kOpen);
    if (is_flush(ops[at_].kind)) scene_->fold();
  }
  scene_->fold();
  scene_->record_undo(true);
  parts_ = {{0, 0, 1, &trace_.recording}};
}

const Explorer::Part* Explorer::part_of(const Pending& change) const {
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
    if (part->level == change.level && change.op > part->first) return &*part;
  }
  return nullptr;
}

const Recording* Explorer::recording_of(const Pending& change) const {
  const Part* part = part_of(change);
  return part == nullptr ? nullptr : part->recording;
}

std::uint32_t Explorer::index_of(const Pending& change) const {
  const Part* part = part_of(change);
  return part == nullptr ? 0 : change.op - part->first - 1;
}

unsigned Explorer::cut_of(const Pending& change) const {
  const Part* part = part_of(change);
  return part == nullptr ? 0 : part->cut;
}

std::int64_t Explorer::acked_at(std::uint32_t point) const {
  std::int64_t acked = -1;
  const auto& ops = trace_.recording.ops();
  for (std::uint32_t i = 0; i < point; ++i) {
    if (ops[i].kind == OpKind::kAck) acked = static_cast<std::int64_t>(ops[i].length);
  }
  return acked;
}

unsigned Explorer::run(const Check& check, const StateInfo& info) {
  view_.begin();
  chooser_.trouble = nullptr;
  unsigned verdict = 0;
  try {
    verdict = check(view_, info);
  } catch (...) {
    if (!chooser_.trouble) throw;
  }
  // Not the program's fault, whatever it made of it.
  if (chooser_.trouble) std::rethrow_exception(chooser_.trouble);
  return verdict;
}

void Explorer::count(const StateInfo& info, unsigned verdict) {
  ++result_.states;
  if (info.cuts > 1) ++result_.nested;
  ++result_.verdicts[verdict];
  if (verdict == 0) return;
  constexpr std::size_t kMost = 64;
  constexpr std::uint64_t kOfEach = 4;
  if (result_.violations.size() >= kMost || found_[{verdict, info.point}]++ >= kOfEach) return;
  result_.violations.push_back({path(), verdict, info.acked});
}

StatePath Explorer::path() const {
  StatePath path = current_;
  path.cuts.back().taken.clear();
  std::uint32_t number = floor_;
  const auto frames = chooser_.frames();
  for (; number < frames.size(); ++number) path.cuts.back().taken.push_back(frames[number].taken);
  return path;
}

bool Explorer::visit(const StateInfo& info) {
  const unsigned verdict = run(*check_, info);
  count(info, verdict);
  if (verdict != 0 && options_.stop_at_first) result_.stopped = true;
  if (info.cuts == 1 && !scene_->see_all) count_steps(scene_->last_kept());
  if (result_.states % 1024 == 0 && *stop_ && (*stop_)()) result_.stopped = true;
  return !result_.stopped;
}

void Explorer::count_steps(std::uint32_t last_kept) {
  for (const SegmentStep& step : segment_) {
    if (last_kept > step.until) continue;
    if (step_counts_.size() <= step.name) step_counts_.resize(step.name + 1, 0);
    ++step_counts_[step.name];
  }
}

// An even part of what is left of `limit` states.
std::uint64_t Explorer::share_of(std::uint64_t limit, std::size_t parts) const {
  return (limit - std::min(limit, result_.states)) / parts;
}

// The point that exploration looks at before it comes to this one; 0 if there is none.
std::uint32_t Explorer::point_before(std::uint32_t point) const {
  const auto found = std::ranges::lower_bound(points_, point);
  return found == points_.begin() ? 0 : *std::prev(found);
}

// Where in the protocol a crash can fall between two points.
void Explorer::find_steps(std::uint32_t before, std::uint32_t point) {
  const auto& ops = trace_.recording.ops();
  segment_.clear();
  if (before > 0 && ops[before - 1].step != kNone) segment_.push_back({ops[before - 1].step, point});
  for (std::uint32_t n = before; n < point; ++n) {
    if (ops[n].kind != OpKind::kStep) continue;
    if (!segment_.empty()) segment_.back().until = n;
    segment_.push_back({ops[n].step, point});
  }
}

Explored Explorer::explore(const Check& check, const std::function<bool()>& stop) {
  return explore_points(points_, check, stop);
}

Explored Explorer::explore_points(const std::vector<std::uint32_t>& all, const Check& check,
                                  const std::function<bool()>& stop) {
  check_ = &check;
  stop_ = &stop;
  result_ = {};
  found_.clear();
  step_counts_.clear();
  result_.points = all.size();
  // First every point in turn with an even share of half of what is allowed, then those that were not
  // done with it.
  std::vector<Unfinished> unfinished;
  const std::uint64_t half = options_.max_states - options_.max_states / 2;
  for (std::size_t i = 0; i < all.size() && !result_.stopped; ++i) {
    const std::uint32_t before = point_before(all[i]);
    find_steps(before, all[i]);
    if (options_.kill_first) {
      for (std::uint32_t n = before + (before == 0 ? 0 : 1); n <= all[i] && !result_.stopped; ++n) {
        if (n > 0 && trace_.recording.ops()[n - 1].kind == OpKind::kStep) continue;
        kill_then_cut({.acked = acked_at(n), .point = n});
      }
    }
    Unfinished work{.point = all[i]};
    if (!explore_point(work, share_of(half, all.size() - i)) && !result_.stopped) unfinished.push_back(work);
  }
  for (std::size_t i = 0; i < unfinished.size() && !result_.stopped; ++i) {
    find_steps(point_before(unfinished[i].point), unfinished[i].point);
    const std::uint64_t share = share_of(options_.max_states, unfinished.size() - i);
    if (explore_point(unfinished[i], share - share / 3)) continue;
    result_.exhaustive = false;
    if (!result_.stopped) sample_point(unfinished[i], share_of(options_.max_states, unfinished.size() - i));
  }
  if (result_.stopped) result_.exhaustive = false;
  for (NameId id = 0; id < step_counts_.size(); ++id) {
    if (step_counts_[id] > 0) result_.steps[steps_.at(id)] = step_counts_[id];
  }
  return result_;
}

unsigned Explorer::assigned(std::uint32_t point, const Assignment& assignment, const Check& check) {
  go_to(point);
  chooser_.restart(Chooser::Policy::kAssigned);
  chooser_.assignment = assignment;
  floor_ = 0;
  current_.cuts = {{.point = point}};
  std::int64_t acked = acked_at(std::min(point, assignment.cut));
  return run(check, {.acked = acked, .point = point});
}

}  // namespace plugpull
