// What has been decided: taken again, told, and dated.
#include <algorithm>

#include "native/explore/scene.h"

namespace plugpull {

void Scene::decide(const Chooser::Frame& frame) {
  const bool yes = frame.taken == 0;
  if ((frame.question & kJournalQuestion) != 0) {
    const auto level = static_cast<std::uint8_t>(frame.question - kJournalQuestion);
    const Range now = journals_[level];
    set_journal(level, yes ? Range{std::max(now.lo, frame.detail), now.hi}
                           : Range{now.lo, std::min(now.hi, frame.detail - 1)});
  } else if ((frame.question & kChainQuestion) != 0) {
    settle_chain(frame.question - kChainQuestion, frame.detail, yes);
  } else if (pending_[frame.question].change != Change::kData) {
    undo({Undo::kFate, frame.question, fates_[frame.question]});
    fates_[frame.question] = yes ? 1 : 2;
  } else {
    family(frame.question);
    const Chooser::Class& taken = chooser_.classes[frame.class_base + frame.taken];
    Data now = data_[frame.question];
    remember(frame.question);
    now.first = taken.first;
    now.count = taken.count;
    now.seen_from = frame.detail >> 16;
    now.seen_to = frame.detail & 0xFFFF;
    now.candidate = chooser_.members[taken.first];
    data_[frame.question] = now;
    constrain(frame.question, now.first, now.count);
  }
}

Scene::Known Scene::known(PendingId id) {
  const Pending& p = pending_[id];
  if (p.forced) return {1, 0};
  if (p.change == Change::kData) {
    const Data& d = data_[id];
    if (d.seen_from > d.seen_to) return {0, 0};
    const Tear::Kind kind = family(id).tears[d.candidate].kind;
    const bool lost = kind == Tear::Kind::kAbsent || kind == Tear::Kind::kStale;
    return {static_cast<std::uint8_t>(kind == Tear::Kind::kWhole ? 1 : lost ? 2 : 3), d.candidate};
  }
  const auto by_range = [](Range range, std::uint32_t value) -> Known {
    return {static_cast<std::uint8_t>(range.lo >= value  ? 1
                                      : range.hi < value ? 2
                                                         : 0),
            range.lo >= value ? 0U : 1U};
  };
  if (p.change == Change::kGrow && p.chain != kNone) return by_range(chains_[p.chain].rank, p.rank);
  if (profile_.journal) return by_range(journals_[p.level], p.op);
  return {fates_[id], fates_[id] == 2 ? 1U : 0U};
}

std::uint32_t Scene::last_kept() const {
  std::uint32_t last = 0;
  for (const Chooser::Frame& frame : chooser_.frames()) {
    std::uint32_t op = 0;
    if ((frame.question & kJournalQuestion) != 0) {
      if (frame.taken == 0 && frame.question == kJournalQuestion) op = frame.detail;
    } else {
      PendingId id = frame.question;
      bool there = frame.taken == 0;
      if ((frame.question & kChainQuestion) != 0) {
        id = chains_[frame.question - kChainQuestion].grows[frame.detail - 1];
      } else if (pending_[id].change == Change::kData) {
        there = pending_[id].family->tears[data_[id].candidate].kind != Tear::Kind::kAbsent;
      }
      if (there && pending_[id].level == 0) op = pending_[id].op;
    }
    last = std::max(last, op);
  }
  return last;
}

}  // namespace plugpull
