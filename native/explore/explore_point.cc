// All states at one point of the run, or as many as there is room for.
#include <algorithm>

#include "native/explore/explorer.h"
#include "native/explore/mix.h"

namespace plugpull {

// Depth first from where it was left, for at most `share` states. True: all were seen.
bool Explorer::explore_point(Unfinished& work, std::uint64_t share) {
  go_to(work.point);
  const StateInfo info{.acked = acked_at(work.point), .point = work.point};
  floor_ = 0;
  current_.cuts = {{.point = work.point}};
  chooser_.restart(Chooser::Policy::kFirst, work.next);
  const std::size_t mark = scene_->mark();
  const std::uint64_t limit = result_.states + share;
  bool done = false;
  while (!done && !result_.stopped && (result_.states < limit || (work.leaves == 0 && limit > 0))) {
    visit(info);
    nest(info, mark);
    scene_->rewind(mark);
    ++work.leaves;
    done = !chooser_.next(floor_);
  }
  if (done) {
    result_.distinct += work.leaves;
    result_.of += static_cast<double>(work.leaves);
  } else {
    work.next = chooser_.planned();
  }
  return done;
}

// Takes note of the state visited last; false if it was known.
bool Explorer::remember_state() {
  std::uint64_t hash = 0;
  for (const Chooser::Frame& frame : chooser_.frames())
    hash = mix(hash ^ ((std::uint64_t{frame.detail} << 32) | frame.taken));
  // What a node of the set and its bucket take.
  constexpr std::size_t kNode = 40;
  if (seen_.size() * kNode > options_.memory_bytes) return false;
  return seen_.insert(hash).second;
}

// States from all over a point that has too many: the extremes, every change alone, tears, then at random.
void Explorer::sample_point(const Unfinished& work, std::uint64_t limit) {
  go_to(work.point);
  const StateInfo info{.acked = acked_at(work.point), .point = work.point};
  floor_ = 0;
  current_.cuts = {{.point = work.point}};
  seen_.clear();
  // What the search has seen, is known.
  const std::vector<std::uint32_t>& searched = work.next;
  const std::size_t mark = scene_->mark();
  std::uint64_t fresh = 0;
  double estimates = 0;
  std::uint64_t samples = 0;
  const auto take = [&](Chooser::Policy policy) {
    if (limit == 0 || result_.stopped) return false;
    --limit;
    chooser_.restart(policy);
    const bool more = visit(info);
    const std::vector<std::uint32_t> taken = chooser_.path();
    if (!std::ranges::lexicographical_compare(taken, searched) && remember_state()) ++fresh;
    nest(info, mark);
    scene_->rewind(mark);
    return more && !result_.stopped;
  };
  const auto assigned = [&](bool kept, std::uint32_t question, std::uint32_t wanted) {
    chooser_.assignment = {.kept = kept};
    if (question != kNone) chooser_.assignment.wanted[question] = wanted;
    return take(Chooser::Policy::kAssigned);
  };
  assigned(true, kNone, 0);
  assigned(false, kNone, 0);
  // Every change alone lost, every change alone there.
  const auto count = static_cast<PendingId>(scene_->pending().size());
  for (PendingId id = 0; id < count && limit > 0; ++id) {
    const Pending p = scene_->pending()[id];
    if (p.forced) continue;
    if (p.change == Change::kData) {
      assigned(true, id, 1);
      assigned(false, id, 0);
    } else if (p.change == Change::kGrow) {
      if (p.chain == kNone) continue;
      assigned(true, Scene::kChainQuestion + p.chain, p.rank - 1);
      assigned(false, Scene::kChainQuestion + p.chain, p.rank);
    } else if (profile_.journal) {
      assigned(true, Scene::kJournalQuestion, p.op - 1);
      assigned(false, Scene::kJournalQuestion, p.op);
    } else {
      assigned(true, id, 1);
      assigned(false, id, 0);
    }
  }
  // Torn small writes.
  for (PendingId id = 0; id < count && limit > 0; ++id) {
    const Pending p = scene_->pending()[id];
    if (p.forced || p.change != Change::kData || p.units > 8) continue;
    const auto ways = static_cast<std::uint32_t>(scene_->family(id).tears.size());
    for (std::uint32_t way = 2; way < ways && limit > 0; ++way) assigned(true, id, way);
  }
  chooser_.seed(mix(options_.seed) ^ info.point);
  constexpr double kBias[] = {0.5, 0.9, 0.1, 0.75};
  while (limit > 0 && !result_.stopped) {
    chooser_.bias = kBias[samples % 4];
    take(Chooser::Policy::kRandom);
    estimates += chooser_.estimate;
    ++samples;
  }
  // Knuth 1975, Estimating the efficiency of backtrack programs: the mean of the product of the
  // branching factors along random descents is the number of leaves.
  const double seen = static_cast<double>(work.leaves + fresh);
  result_.distinct += work.leaves + fresh;
  result_.of += std::max(samples == 0 ? 0 : estimates / static_cast<double>(samples), seen);
}

}  // namespace plugpull
