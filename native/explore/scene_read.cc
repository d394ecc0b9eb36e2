// What a crash state shows to those who read it.
#include <algorithm>
#include <cstring>

#include "native/explore/scene.h"

namespace plugpull {

void Scene::set_journal(std::uint8_t level, Range range) {
  undo({Undo::kJournal, level, journals_[level].lo, journals_[level].hi});
  journals_[level] = range;
}

void Scene::set_chain(std::uint32_t chain, Range range) {
  undo({Undo::kChain, chain, chains_[chain].rank.lo, chains_[chain].rank.hi});
  chains_[chain].rank = range;
}

// A question with two answers; class 0 is yes.
bool Scene::ask(std::uint32_t question, std::uint32_t detail, bool wanted) {
  if (chooser_.replaying()) return chooser_.replay(question, detail).taken == 0;
  std::uint32_t taken = 0;
  if (!chooser_.on_path(2, &taken)) {
    if (chooser_.policy == Chooser::Policy::kAssigned) {
      taken = wanted ? 0 : 1;
    } else if (chooser_.policy == Chooser::Policy::kRandom) {
      taken = chooser_.uniform() < chooser_.bias ? 0 : 1;
      chooser_.estimate /= taken == 0 ? chooser_.bias : 1 - chooser_.bias;
    }
  }
  chooser_.push(question, detail, 2, taken);
  return taken == 0;
}

bool Scene::journal_reached(std::uint8_t level, std::uint32_t op) {
  const Range range = journals_[level];
  if (range.lo >= op) return true;
  if (range.hi < op) return false;
  const std::uint32_t question = kJournalQuestion + level;
  bool wanted = false;
  if (chooser_.policy == Chooser::Policy::kAssigned) {
    const auto found = chooser_.assignment.wanted.find(question);
    std::uint32_t reach = found != chooser_.assignment.wanted.end() ? found->second
                          : chooser_.assignment.kept                ? kNone
                                                                    : 0;
    if (level == 0) reach = std::min(reach, chooser_.assignment.cut);
    wanted = op <= reach;
  }
  const bool yes = ask(question, op, wanted);
  set_journal(level, yes ? Range{op, range.hi} : Range{range.lo, op - 1});
  return yes;
}

bool Scene::chain_reached(std::uint32_t chain, std::uint32_t rank) {
  const Range range = chains_[chain].rank;
  if (range.lo >= rank) return true;
  if (range.hi < rank) return false;
  const Pending& grow = pending_[chains_[chain].grows[rank - 1]];
  const Range journal = journals_[grow.level];
  if (journal.hi < grow.need) {
    set_chain(chain, {range.lo, rank - 1});
    return false;
  }
  if (journal.lo >= grow.force) {
    set_chain(chain, {rank, range.hi});
    return true;
  }
  const std::uint32_t question = kChainQuestion + chain;
  bool wanted = false;
  if (chooser_.policy == Chooser::Policy::kAssigned) {
    const auto found = chooser_.assignment.wanted.find(question);
    const std::uint32_t reach = found != chooser_.assignment.wanted.end() ? found->second
                                : chooser_.assignment.kept                ? kNone
                                                                          : 0;
    wanted = rank <= reach && (grow.level > 0 || grow.op <= chooser_.assignment.cut);
  }
  const bool yes = ask(question, rank, wanted);
  settle_chain(chain, rank, yes);
  return yes;
}

void Scene::settle_chain(std::uint32_t chain, std::uint32_t rank, bool reached) {
  const Range range = chains_[chain].rank;
  set_chain(chain, reached ? Range{rank, range.hi} : Range{range.lo, rank - 1});
  const Pending& grow = pending_[chains_[chain].grows[rank - 1]];
  const Range journal = journals_[grow.level];
  if (reached && journal.lo < grow.need) set_journal(grow.level, {grow.need, journal.hi});
  if (!reached && grow.force <= journal.hi) set_journal(grow.level, {journal.lo, grow.force - 1});
}

bool Scene::kept(PendingId id) {
  const Pending& p = pending_[id];
  if (p.forced || see_all) return true;
  if (p.change == Change::kGrow && p.chain != kNone) return chain_reached(p.chain, p.rank);
  if (profile_.journal) return journal_reached(p.level, p.op);
  if (fates_[id] != 0) return fates_[id] == 1;
  bool wanted = false;
  if (chooser_.policy == Chooser::Policy::kAssigned) {
    const auto found = chooser_.assignment.wanted.find(id);
    wanted = found != chooser_.assignment.wanted.end() ? found->second == 0 : chooser_.assignment.kept;
    if (p.level == 0 && p.op > chooser_.assignment.cut) wanted = false;
  }
  const bool yes = ask(id, 0, wanted);
  undo({Undo::kFate, id, 0});
  fates_[id] = yes ? 1 : 2;
  return yes;
}

InodeId Scene::lookup(NameId path) {
  const Name& entry = name(path);
  for (std::size_t n = entry.changes.size(); n > 0; --n) {
    const PendingId id = entry.changes[n - 1];
    if (!kept(id)) continue;
    const Pending& p = pending_[id];
    return p.target[p.names > 1 && p.path[1] == path ? 1 : 0];
  }
  return entry.inode;
}

bool Scene::exists(NameId path) {
  const Name& entry = name(path);
  bool some = entry.inode != kNone;
  bool all = some;
  for (const PendingId id : entry.changes) {
    const Pending& p = pending_[id];
    const bool there = p.target[p.names > 1 && p.path[1] == path ? 1 : 0] != kNone;
    // A change that surely happened hides all before it.
    const bool sure = p.forced || see_all;
    some = (sure ? false : some) || there;
    all = (sure ? true : all) && there;
  }
  if (some == all) return all;
  return lookup(path) != kNone;
}

unsigned Scene::mode(InodeId inode) {
  const auto& changes = inodes_[inode].changes;
  for (std::size_t n = changes.size(); n > 0; --n) {
    if (pending_[changes[n - 1]].change == Change::kMode && kept(changes[n - 1])) {
      return pending_[changes[n - 1]].mode;
    }
  }
  return inodes_[inode].mode;
}

std::uint64_t Scene::size(InodeId number, std::uint64_t low, std::uint64_t high) {
  const Inode& inode = inodes_[number];
  const auto clamp = [&](std::uint64_t size) { return std::clamp(size, low, high); };
  if (inode.changes.empty()) return clamp(inode.size);
  const auto grows = [](const Pending& p) { return p.change == Change::kGrow || p.change == Change::kClone; };

  // What the size is at least. Only a truncation of unknown fate could make it less.
  std::uint64_t sure = inode.size;
  bool can_shrink = false;
  for (const PendingId id : inode.changes) {
    const Pending& p = pending_[id];
    const bool forced = p.forced || see_all;
    if (p.change == Change::kTruncate) {
      can_shrink = can_shrink || !forced;
      if (forced) sure = p.length;
    } else if (forced && grows(p)) {
      sure = std::max(sure, p.length);
    }
  }
  std::uint64_t size = can_shrink ? low : clamp(sure);
  for (std::size_t n = inode.changes.size(); n > 0 && size < high; --n) {
    const PendingId id = inode.changes[n - 1];
    const Pending& p = pending_[id];
    if (grows(p) && clamp(p.length) > size && kept(id)) size = clamp(p.length);
    if (p.change == Change::kTruncate && kept(id)) return std::max(size, clamp(p.length));
  }
  return std::max(size, clamp(inode.size));
}

void Scene::read(InodeId inode, std::uint64_t offset, Bytes out) {
  const Inode& file = inodes_[inode];
  read_changes(file.image.get(), file.changes, file.changes.size(), offset, out.data(), out.size(), false);
}

// What the first `n` changes leave over the image. `whole`: all of them are there.
void Scene::read_changes(const Image* image, const std::vector<PendingId>& changes, std::size_t n,
                         std::uint64_t offset, std::byte* out, std::size_t length, bool whole) {
  for (; n > 0; --n) {
    const PendingId id = changes[n - 1];
    const Pending& p = pending_[id];
    std::uint64_t from = offset;
    std::uint64_t to = offset + length;
    if (p.change == Change::kData || p.change == Change::kClone) {
      from = std::max(from, p.offset);
      to = std::min(to, p.offset + p.length);
    } else if (p.change == Change::kTruncate && p.length < p.offset) {
      from = std::max(from, p.length);
    } else {
      continue;
    }
    if (from >= to) continue;
    const bool is_write = p.change == Change::kData;
    if (!is_write && !whole && !kept(id)) continue;

    // Around it, what lies beneath shows.
    if (offset < from) read_changes(image, changes, n - 1, offset, out, from - offset, whole);
    if (to < offset + length) {
      read_changes(image, changes, n - 1, to, out + (to - offset), offset + length - to, whole);
    }
    std::byte* at = out + (from - offset);
    if (p.change == Change::kTruncate) {
      std::memset(at, 0, to - from);
    } else if (p.change == Change::kClone) {
      const Frozen& frozen = frozen_[p.frozen];
      read_changes(frozen.image.get(), frozen.changes, frozen.changes.size(), from, at, to - from,
                   whole || frozen.whole);
    } else if (whole || p.forced || see_all) {
      std::memcpy(at, p.bytes + (from - p.offset), to - from);
    } else {
      read_write(image, changes, n, from, at, to - from);
    }
    return;
  }
  const std::size_t there = image != nullptr && offset < image->bytes.size()
                                ? std::min<std::uint64_t>(length, image->bytes.size() - offset)
                                : 0;
  if (there > 0) std::memcpy(out, image->bytes.data() + offset, there);
  if (there < length) std::memset(out + there, 0, length - there);
}

// The same for a range that lies in the write changes[n - 1], whose fate is open.
void Scene::read_write(const Image* image, const std::vector<PendingId>& changes, std::size_t n,
                       std::uint64_t offset, std::byte* out, std::size_t length) {
  const PendingId id = changes[n - 1];
  const std::uint32_t unit = pending_[id].unit;
  const std::uint32_t first = pending_[id].first_unit;
  const auto from = static_cast<std::uint32_t>(offset / unit) - first;
  const auto to = static_cast<std::uint32_t>((offset + length - 1) / unit) - first;
  const std::uint32_t candidate = observe(id, from, to, &changes == &inodes_[pending_[id].inode].changes);
  const Pending& p = pending_[id];
  const TearFamily& ways = family(id);
  const Tear::Kind kind = ways.tears[candidate].kind;
  if (kind == Tear::Kind::kStale) {
    std::memset(out, 0xA5, length);
    return;
  }
  std::uint32_t u = from;
  while (u <= to) {
    const bool keeps = kind == Tear::Kind::kWhole || ways.keeps(candidate, u);
    std::uint32_t end = u + 1;
    while (end <= to && (kind == Tear::Kind::kWhole || ways.keeps(candidate, end)) == keeps) ++end;
    const std::uint64_t a = std::max<std::uint64_t>(offset, static_cast<std::uint64_t>(first + u) * unit);
    const std::uint64_t b =
        std::min<std::uint64_t>(offset + length, static_cast<std::uint64_t>(first + end) * unit);
    if (keeps) {
      std::memcpy(out + (a - offset), p.bytes + (a - p.offset), b - a);
    } else {
      read_changes(image, changes, n - 1, a, out + (a - offset), b - a, false);
    }
    u = end;
  }
}

}  // namespace plugpull
