// Cuts during recovery: what recovery did is a run of its own, over the crash state it found.
#include <algorithm>

#include "native/explore/explorer.h"

namespace plugpull {

void Explorer::nest(const StateInfo& info, std::size_t mark) {
  if (info.cuts > options_.nested || !view_.changed() || result_.stopped) return;
  nest_in(info, mark, false);
}

// The scene is as it was for the state visited last, at `mark` before anything of that state.
void Explorer::nest_in(const StateInfo& info, std::size_t mark, bool kill) {
  if (done_.size() <= info.cuts) done_.resize(info.cuts + 1);
  view_.swap_done(done_[info.cuts]);
  const std::uint32_t outer_floor = floor_;
  const Chooser::Policy policy = chooser_.policy;
  const StatePath outer = current_;
  current_ = path();
  current_.cuts.back().kill = kill;
  current_.cuts.emplace_back();

  // The first cut settled what recovery saw; what recovery did is gone, to be done again in part.
  const std::vector<Chooser::Frame> decided(chooser_.frames().begin() + outer_floor, chooser_.frames().end());
  const auto floor = static_cast<std::uint32_t>(chooser_.frames().size());
  scene_->rewind(mark);
  for (const Chooser::Frame& frame : decided) scene_->decide(frame);
  if (!kill) scene_->begin_level();
  parts_.push_back({scene_->level(), kill ? info.point : 0, info.cuts + 1, &done_[info.cuts]});
  floor_ = floor;
  chooser_.policy = Chooser::Policy::kFirst;

  StateInfo next = info;
  next.cuts = info.cuts + 1;
  bool news = false;
  bool changed = kill;
  std::vector<NameId> passed;
  const std::size_t count = done_[info.cuts].ops().size();
  for (std::uint32_t i = 0; i <= count && !result_.stopped; ++i) {
    const bool end = i == count;
    const Op op = end ? Op{} : done_[info.cuts].ops()[i];
    const bool stop = end || is_flush(op.kind) || op.kind == OpKind::kAck;
    if (stop && news && changed) {
      current_.cuts.back().point = i;
      explore_nested(next);
      for (const NameId step : passed) {
        if (step_counts_.size() <= step) step_counts_.resize(step + 1, 0);
        ++step_counts_[step];
      }
      passed.clear();
      news = false;
    }
    if (end) break;
    if (is_change(op.kind)) changed = true;
    if (is_change(op.kind) || op.kind == OpKind::kAck || (kill && is_flush(op.kind))) news = true;
    if (op.kind == OpKind::kStep) passed.push_back(op.step);
    if (op.kind == OpKind::kAck) next.acked = std::max(next.acked, static_cast<std::int64_t>(op.length));
    const std::uint32_t number = kill ? info.point + i + 1 : i + 1;
    scene_->apply(op, done_[info.cuts], number, Scene::Fate::kOpen);
  }

  parts_.pop_back();
  chooser_.truncate(floor);
  chooser_.policy = policy;
  floor_ = outer_floor;
  current_ = outer;
  scene_->rewind(mark);
}

void Explorer::explore_nested(const StateInfo& info) {
  const std::size_t mark = scene_->mark();
  chooser_.truncate(floor_);
  std::uint64_t left = options_.nested_states;
  for (;;) {
    const bool more = visit(info);
    if (more) nest(info, mark);
    scene_->rewind(mark);
    if (result_.stopped) return;
    if (!chooser_.next(floor_)) break;
    if (--left == 0) {
      result_.exhaustive = false;
      break;
    }
  }
  chooser_.truncate(floor_);
}

void Explorer::kill_then_cut(const StateInfo& info) {
  go_to(info.point);
  const std::size_t mark = scene_->mark();
  floor_ = 0;
  current_.cuts = {{.point = info.point, .kill = true}};
  scene_->see_all = true;
  const bool more = visit(info);
  scene_->see_all = false;
  if (more) nest_in(info, mark, true);
  scene_->rewind(mark);
}

unsigned Explorer::replay(const StatePath& path, const Check& check) {
  if (path.cuts.empty()) throw std::invalid_argument("the path of a crash state is empty");
  go_to(path.cuts[0].point);
  std::vector<std::uint32_t> taken;
  for (const StatePath::Cut& cut : path.cuts) taken.insert(taken.end(), cut.taken.begin(), cut.taken.end());
  chooser_.restart(Chooser::Policy::kFirst, taken);
  floor_ = 0;
  current_.cuts.clear();
  StateInfo info{.acked = acked_at(path.cuts[0].point), .point = path.cuts[0].point};
  unsigned verdict = 0;
  std::size_t given = 0;
  for (std::size_t i = 0; i < path.cuts.size(); ++i) {
    const StatePath::Cut& cut = path.cuts[i];
    current_.cuts.push_back({.point = cut.point, .kill = cut.kill});
    const std::size_t mark = scene_->mark();
    scene_->see_all = cut.kill;
    verdict = run(check, info);
    scene_->see_all = false;
    given += cut.taken.size();
    const bool last = i + 1 == path.cuts.size();
    if (chooser_.depth() < given || (!last && chooser_.depth() > given)) {
      throw std::invalid_argument("the path does not fit this trace: recovery decided other things");
    }
    if (last) break;

    if (done_.size() <= info.cuts) done_.resize(info.cuts + 1);
    Recording& done = done_[info.cuts];
    view_.swap_done(done);
    const std::vector<Chooser::Frame> decided(chooser_.frames().begin() + floor_, chooser_.frames().end());
    current_.cuts.back().taken.clear();
    for (const auto& frame : decided) current_.cuts.back().taken.push_back(frame.taken);
    floor_ = static_cast<std::uint32_t>(chooser_.frames().size());
    scene_->rewind(mark);
    for (const Chooser::Frame& frame : decided) scene_->decide(frame);
    if (!cut.kill) scene_->begin_level();
    parts_.push_back({scene_->level(), cut.kill ? info.point : 0, info.cuts + 1, &done});
    const std::uint32_t next = path.cuts[i + 1].point;
    if (next > done.ops().size()) {
      throw std::invalid_argument("the path does not fit: recovery did " + std::to_string(done.ops().size()) +
                                  " operations, not " + std::to_string(next));
    }
    for (std::uint32_t n = 0; n < next; ++n) {
      const Op op = done.ops()[n];
      if (op.kind == OpKind::kAck) info.acked = std::max(info.acked, static_cast<std::int64_t>(op.length));
      scene_->apply(op, done, cut.kill ? info.point + n + 1 : n + 1, Scene::Fate::kOpen);
    }
    ++info.cuts;
  }
  return verdict;
}

}  // namespace plugpull
