#include "native/explore/explorer.h"

#include <algorithm>

#include "native/explore/mix.h"

namespace plugpull {

Explorer::Explorer(const Trace& trace, ExploreOptions options)
    : trace_(trace),
      options_(options),
      profile_(options.profile != nullptr ? *options.profile : *profile_by_name("posix")),
      families_(options.tear, options.random_tears),
      names_(trace.paths),
      steps_(trace.steps),
      view_(names_, steps_) {
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

std::vector<std::uint32_t> Explorer::points() const {
  std::vector<std::uint32_t> points;
  const auto& ops = trace_.recording.ops();
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

unsigned Explorer::run(const Check& check, const StateInfo& info) {
  view_.begin();
  return check(view_, info);
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

Explored Explorer::explore(const Check& check, const std::function<bool()>& stop) {
  return explore_points(points(), check, stop);
}

Explored Explorer::explore_points(const std::vector<std::uint32_t>& all, const Check& check,
                                  const std::function<bool()>& stop) {
  check_ = &check;
  stop_ = &stop;
  result_ = {};
  found_.clear();
  step_counts_.clear();
  result_.points = all.size();
  const auto& ops = trace_.recording.ops();
  StateInfo info;
  std::uint32_t before = 0;
  NameId last_step = kNone;
  for (std::size_t i = 0; i < all.size() && !result_.stopped; ++i) {
    // Where in the protocol a crash can fall between the point before and this one.
    segment_.clear();
    if (last_step != kNone) segment_.push_back({last_step, all[i]});
    for (std::uint32_t n = before; n < all[i]; ++n) {
      if (ops[n].kind == OpKind::kAck) info.acked = static_cast<std::int64_t>(ops[n].length);
      if (ops[n].kind != OpKind::kStep) continue;
      if (!segment_.empty()) segment_.back().until = n;
      last_step = ops[n].step;
      segment_.push_back({last_step, all[i]});
    }
    if (options_.kill_first) {
      for (std::uint32_t n = before + (i == 0 ? 0 : 1); n <= all[i] && !result_.stopped; ++n) {
        if (n > 0 && ops[n - 1].kind == OpKind::kStep) continue;
        kill_then_cut({.acked = acked_at(n), .point = n});
      }
    }
    before = all[i];
    go_to(all[i]);
    info.point = all[i];
    const std::uint64_t left = options_.max_states - std::min(options_.max_states, result_.states);
    explore_point(info, std::max<std::uint64_t>(1, left / (all.size() - i)));
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
