// Deciding the fate of a write, as far as a read can tell: the ways it can have been torn fall into classes
// that show the same bytes to this read, and a class is what is decided.
#include <algorithm>
#include <cstring>

#include "native/explore/mix.h"
#include "native/explore/scene.h"

namespace plugpull {

const TearFamily& Scene::family(PendingId id) {
  Pending& p = pending_[id];
  if (p.family == nullptr) {
    const std::uint32_t per_page = p.unit >= kPageSize ? 1 : static_cast<std::uint32_t>(kPageSize / p.unit);
    p.family = &families_.of(p.units, p.first_unit % per_page, per_page, p.stale);
  }
  return *p.family;
}

// A write that came with a growing size is whole if that very size is what persisted (see
// Profile::size_after_data).
bool Scene::can_be_torn(const Pending& p) const {
  if (!profile_.size_after_data || p.grow == kNone) return true;
  const Pending& grow = pending_[p.grow];
  if (grow.forced || grow.chain == kNone) return !grow.forced;
  const Range rank = chains_[grow.chain].rank;
  if (rank.hi < grow.rank || rank.lo > grow.rank) return true;
  // A read of it settled whether the size got there; it is torn only if a later size persisted.
  if (rank.hi == grow.rank) return false;
  const Pending& later = pending_[chains_[grow.chain].grows[grow.rank]];
  return journals_[later.level].hi >= later.need;
}

Scene::Feasible Scene::feasible(const Pending& p) {
  const Range journal = journals_[p.level];
  const bool not_whole = journal.lo < p.force && can_be_torn(p);
  const bool some = journal.hi >= p.need;
  return {.whole = some, .partial = some && not_whole, .absent = not_whole};
}

bool Scene::same_beneath(PendingId id, std::uint32_t unit) {
  if (pending_[id].level > 0) return false;
  if (pending_[id].same == kNone) find_same(id);
  return ((same_[pending_[id].same + unit / 64] >> (unit % 64)) & 1) != 0;
}

// Which units hold what lay there before, so that it does not matter whether they were written?
void Scene::find_same(PendingId id) {
  Pending& p = pending_[id];
  p.same = static_cast<std::uint32_t>(same_.size());
  same_.resize(same_.size() + (p.units + 63) / 64, 0);
  const Inode& inode = inodes_[p.inode];
  for (std::uint32_t u = 0; u < p.units; ++u) {
    const std::uint64_t from = std::max<std::uint64_t>(p.offset, std::uint64_t{p.first_unit + u} * p.unit);
    const std::uint64_t to =
        std::min<std::uint64_t>(p.offset + p.length, std::uint64_t{p.first_unit + u + 1} * p.unit);
    bool same = true;
    for (const PendingId before : inode.changes) {
      if (before == id) break;
      const Pending& q = pending_[before];
      const bool touches = (q.change == Change::kData && q.offset < to && from < q.offset + q.length) ||
                           (q.change == Change::kTruncate && q.length < to) ||
                           (q.change == Change::kClone && from < q.length);
      if (touches) same = false;
    }
    const std::size_t size = inode.image == nullptr ? 0 : inode.image->bytes.size();
    for (std::uint64_t at = from; same && at < to;) {
      const std::byte* mine = p.bytes + (at - p.offset);
      if (at < size) {
        const std::uint64_t n = std::min<std::uint64_t>(to, size) - at;
        same = std::memcmp(mine, inode.image->bytes.data() + at, n) == 0;
        at += n;
      } else {
        same = *mine == std::byte{0};
        ++at;
      }
    }
    if (same) same_[p.same + u / 64] |= 1ULL << (u % 64);
  }
}

// Sorts candidates_ into classes; class_of_[i] and sizes_ are the result. Returns the number of classes.
std::uint32_t Scene::classify(const TearFamily& ways, PendingId id, std::uint32_t from, std::uint32_t to,
                              bool in_place) {
  class_of_.clear();
  sizes_.clear();
  signatures_.clear();
  for (const std::uint16_t candidate : candidates_) {
    const bool stale = ways.tears[candidate].kind == Tear::Kind::kStale;
    std::uint64_t signature = stale ? ~0ULL : 0;
    if (!stale) {
      std::uint64_t word = 0;
      unsigned bits = 0;
      for (std::uint32_t u = from; u <= to; ++u) {
        const bool there = ways.keeps(candidate, u) && !(in_place && same_beneath(id, u));
        word = (word << 1) | (there ? 1 : 0);
        if (++bits == 64) {
          signature = mix(signature ^ word);
          word = 0;
          bits = 0;
        }
      }
      signature = mix(signature ^ word);
    }
    const auto found = std::ranges::find(signatures_, signature);
    const auto number = static_cast<std::uint32_t>(found - signatures_.begin());
    if (found == signatures_.end()) {
      signatures_.push_back(signature);
      sizes_.push_back(0);
    }
    class_of_.push_back(number);
    ++sizes_[number];
  }
  return static_cast<std::uint32_t>(sizes_.size());
}

// The class that the policy wants, of those of a decision that is about to be made.
std::uint32_t Scene::pick(PendingId id, std::uint32_t base, std::uint32_t count) {
  std::uint32_t taken = 0;
  if (chooser_.on_path(count, &taken)) return taken;
  if (chooser_.policy == Chooser::Policy::kFirst) return 0;
  const auto holding = [&](std::uint32_t candidate) {
    for (std::uint32_t c = 0; c < count; ++c) {
      const Chooser::Class& one = chooser_.classes[base + c];
      const auto* first = chooser_.members.data() + one.first;
      if (std::find(first, first + one.count, candidate) != first + one.count) return c;
    }
    return count;
  };
  if (chooser_.policy == Chooser::Policy::kAssigned) {
    const Pending& p = pending_[id];
    const auto found = chooser_.assignment.wanted.find(id);
    std::uint32_t wanted = found != chooser_.assignment.wanted.end() ? found->second
                           : chooser_.assignment.kept                ? 0
                                                                     : 1;
    if (p.level == 0 && p.op > chooser_.assignment.cut) wanted = 1;
    const std::uint32_t c = holding(wanted);
    return c < count ? c : 0;
  }
  // At random: whole or absent most of the time, each class sometimes.
  const double other = 0.25;
  const std::uint32_t whole = holding(0);
  const std::uint32_t absent = holding(1);
  const double keep = (1 - other) * chooser_.bias;
  const double lose = (1 - other) * (1 - chooser_.bias);
  const double draw = chooser_.uniform();
  if (draw < keep && whole < count) {
    taken = whole;
  } else if (draw < keep + lose && absent < count) {
    taken = absent;
  } else {
    taken = static_cast<std::uint32_t>(chooser_.uniform() * count);
  }
  const double evenly = other + (whole < count ? 0 : keep) + (absent < count ? 0 : lose);
  const double probability = evenly / count + (taken == whole ? keep : 0) + (taken == absent ? lose : 0);
  chooser_.estimate /= probability;
  return taken;
}

// What follows for the journal and the size from the class that was taken.
void Scene::constrain(PendingId id, std::uint32_t first, std::uint32_t count) {
  const Pending& p = pending_[id];
  if (!profile_.journal) return;
  bool whole = false;
  bool absent = false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Tear::Kind kind = p.family->tears[chooser_.members[first + i]].kind;
    whole = whole || kind == Tear::Kind::kWhole;
    absent = absent || kind == Tear::Kind::kAbsent || kind == Tear::Kind::kStale;
  }
  const Range journal = journals_[p.level];
  if (!absent && journal.lo < p.need) set_journal(p.level, {p.need, journal.hi});
  if (whole) return;
  if (p.force != kNone && journals_[p.level].hi >= p.force) {
    set_journal(p.level, {journals_[p.level].lo, p.force - 1});
  }
  if (profile_.size_after_data && p.grow != kNone && pending_[p.grow].chain != kNone) {
    const Pending& grow = pending_[p.grow];
    const Range rank = chains_[grow.chain].rank;
    if (rank.lo == grow.rank && rank.hi > grow.rank) {
      set_chain(grow.chain, {grow.rank + 1, rank.hi});
      const Pending& later = pending_[chains_[grow.chain].grows[grow.rank]];
      const Range now = journals_[later.level];
      if (now.lo < later.need) set_journal(later.level, {later.need, now.hi});
    }
  }
}

void Scene::remember(PendingId id) {
  const Data& d = data_[id];
  undo({Undo::kData, id, (std::uint64_t{d.candidate} << 32) | d.first, d.count,
        (std::uint64_t{d.seen_from} << 32) | d.seen_to});
}

// Returns a candidate that stands for all that are still possible, for units `from` to `to`.
std::uint32_t Scene::observe(PendingId id, std::uint32_t from, std::uint32_t to, bool in_place) {
  const Data known = data_[id];
  if (known.count == 1 || (known.seen_from <= from && to <= known.seen_to)) return known.candidate;
  const std::uint32_t detail = (from << 16) | to;
  Data now = known;
  now.seen_from = from;
  now.seen_to = to;
  if (known.seen_from <= known.seen_to && from <= known.seen_to + 1 && known.seen_from <= to + 1) {
    now.seen_from = std::min(from, known.seen_from);
    now.seen_to = std::max(to, known.seen_to);
  }
  const TearFamily& ways = family(id);
  if (profile_.size_after_data && pending_[id].grow != kNone) {
    // Nearly always known by now: who reads here has asked for the size.
    const Pending& grow = pending_[pending_[id].grow];
    if (!grow.forced && grow.chain != kNone) chain_reached(grow.chain, grow.rank);
  }
  if (chooser_.replays(id, detail)) {
    const Chooser::Frame& frame = chooser_.replay(id, detail);
    const Chooser::Class& taken = chooser_.classes[frame.class_base + frame.taken];
    now.first = taken.first;
    now.count = taken.count;
  } else {
    const Feasible can = feasible(pending_[id]);
    candidates_.clear();
    const std::uint32_t total =
        known.count == 0 ? static_cast<std::uint32_t>(ways.tears.size()) : known.count;
    for (std::uint32_t i = 0; i < total; ++i) {
      const auto c = static_cast<std::uint16_t>(known.count == 0 ? i : chooser_.members[known.first + i]);
      const Tear& tear = ways.tears[c];
      const bool possible = tear.kind == Tear::Kind::kWhole ? can.whole
                            : tear.partial()                ? can.partial
                                                            : can.absent;
      if (possible) candidates_.push_back(c);
    }
    if (candidates_.empty())
      throw std::logic_error("no fate is left for a write: the profile's rules contradict");
    const std::uint32_t count = classify(ways, id, from, to, in_place);
    if (count == 1) {
      remember(id);
      now.candidate = candidates_.front();
      data_[id] = now;
      return now.candidate;
    }
    if (chooser_.replaying()) chooser_.replay(id, detail);  // throws: the replay expects something else
    const auto class_base = static_cast<std::uint32_t>(chooser_.classes.size());
    const auto member_base = static_cast<std::uint32_t>(chooser_.members.size());
    std::uint32_t next = member_base;
    for (std::uint32_t c = 0; c < count; ++c) {
      chooser_.classes.push_back({next, 0});
      next += sizes_[c];
    }
    chooser_.members.resize(next);
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      Chooser::Class& one = chooser_.classes[class_base + class_of_[i]];
      chooser_.members[one.first + one.count++] = candidates_[i];
    }
    const std::uint32_t taken = pick(id, class_base, count);
    now.first = chooser_.classes[class_base + taken].first;
    now.count = chooser_.classes[class_base + taken].count;
    chooser_.push_classes(id, detail, class_base, member_base, taken);
  }
  remember(id);
  now.candidate = chooser_.members[now.first];
  data_[id] = now;
  constrain(id, now.first, now.count);
  return now.candidate;
}

}  // namespace plugpull
