#include "native/explore/scene.h"

#include <algorithm>

namespace plugpull {

Scene::Scene(const Profile& profile, TearFamilies& families, Chooser& chooser)
    : profile_(profile), families_(families), chooser_(chooser) {}

Scene::Name& Scene::name(NameId path) {
  if (path >= names_.size()) names_.resize(path + 1);
  return names_[path];
}

InodeId Scene::new_inode(unsigned mode) {
  if (inode_count_ == inodes_.size()) inodes_.emplace_back();
  Inode& inode = inodes_[inode_count_];
  inode.image.reset();
  inode.size = 0;
  inode.mode = mode;
  inode.open_chain = kNone;
  inode.changes.clear();
  undo({Undo::kInode, inode_count_});
  return inode_count_++;
}

PendingId Scene::add(Pending p, Fate fate) {
  const auto id = static_cast<PendingId>(pending_.size());
  p.level = level();
  p.forced = fate == Fate::kKept;
  if (p.inode != kNone) inodes_[p.inode].changes.push_back(id);
  for (unsigned i = 0; i < p.names; ++i) name(p.path[i]).changes.push_back(id);
  if (fates_.size() <= id) {
    fates_.resize(id + 1);
    data_.resize(id + 1);
  }
  fates_[id] = 0;
  data_[id] = {};
  pending_.push_back(p);
  undo({Undo::kPending, id});
  if (fate == Fate::kOpen && profile_.journal && p.change >= Change::kTruncate) {
    const Range range = journals_[p.level];
    if (range.hi < p.op) set_journal(p.level, {range.lo, p.op});
  }
  return id;
}

void Scene::apply(const Op& op, const Recording& from, std::uint32_t index, Fate fate) {
  Pending p{.inode = op.inode, .op = index};
  switch (op.kind) {
    case OpKind::kCreate:
      while (inode_count_ <= op.inode) new_inode(op.mode);
      p.change = Change::kNames;
      p.names = 1;
      p.path[0] = op.path;
      p.target[0] = op.inode;
      p.directories_left = 1;
      add(p, fate);
      break;
    case OpKind::kRename:
      if (profile_.rename_flushes && op.replaces && fate == Fate::kOpen) flushed_by(op.inode, index);
      p.change = Change::kNames;
      p.names = 2;
      p.path[0] = op.path;
      p.path[1] = op.other;
      p.target[1] = op.inode;
      p.directories_left = directory(op.path) == directory(op.other) ? 1 : 3;
      add(p, fate);
      break;
    case OpKind::kUnlink:
      p.change = Change::kNames;
      p.names = 1;
      p.path[0] = op.path;
      p.directories_left = 1;
      add(p, fate);
      break;
    case OpKind::kWrite:
      add_write(op, from, index, fate);
      break;
    case OpKind::kTruncate:
      p.change = Change::kTruncate;
      p.length = op.length;
      p.offset = op.size_before;
      add(p, fate);
      if (inodes_[op.inode].open_chain != kNone) {
        undo({Undo::kOpenChain, op.inode, inodes_[op.inode].open_chain});
        inodes_[op.inode].open_chain = kNone;
      }
      break;
    case OpKind::kChmod:
      p.change = Change::kMode;
      p.mode = op.mode;
      add(p, fate);
      break;
    case OpKind::kClone:
      add_clone(op, index, fate);
      break;
    case OpKind::kSync:
    case OpKind::kDataSync:
    case OpKind::kRangeSync:
      // What was seen is kept already: only open fates can be forced.
      if (fate == Fate::kOpen) sync_file(op, index);
      break;
    case OpKind::kSyncDirectory:
      if (fate == Fate::kOpen) sync_directory(op.path);
      break;
    case OpKind::kAck:
    case OpKind::kStep:
      break;
  }
}

void Scene::add_data(Pending p, Fate fate) {
  // A torn write longer than kMaxUnits sectors tears at pages.
  const std::uint64_t end = p.offset + p.length;
  const auto count = [&](std::uint64_t unit) { return (end - 1) / unit - p.offset / unit + 1; };
  p.unit = static_cast<std::uint32_t>(profile_.sector);
  if (count(p.unit) > kMaxUnits) p.unit = kPageSize;
  while (count(p.unit) > kMaxUnits) p.unit *= 2;
  p.first_unit = static_cast<std::uint32_t>(p.offset / p.unit);
  p.units = static_cast<std::uint32_t>(count(p.unit));
  p.need = profile_.data_with_journal ? journals_.back().hi : 0;
  add(p, fate);
}

void Scene::add_write(const Op& op, const Recording& from, std::uint32_t index, Fate fate) {
  const std::uint64_t end = op.offset + op.length;
  PendingId grow = kNone;
  if (end > op.size_before) {
    Pending p{.change = Change::kGrow, .inode = op.inode, .op = index};
    p.length = end;
    // The size is committed some time later, so after all that the journal was given before.
    p.need = profile_.journal ? journals_.back().hi : 0;
    if (fate == Fate::kOpen) {
      std::uint32_t chain = inodes_[op.inode].open_chain;
      if (chain == kNone || chains_[chain].level != level()) {
        chain = chain_count_++;
        if (chains_.size() < chain_count_) chains_.emplace_back();
        chains_[chain].grows.clear();
        chains_[chain].rank = {0, 0};
        chains_[chain].level = level();
        undo({Undo::kNewChain, chain});
        undo({Undo::kOpenChain, op.inode, inodes_[op.inode].open_chain});
        inodes_[op.inode].open_chain = chain;
      }
      p.chain = chain;
      p.rank = static_cast<std::uint32_t>(chains_[chain].grows.size()) + 1;
      grow = add(p, fate);
      undo({Undo::kChainGrow, chain, chains_[chain].rank.hi});
      chains_[chain].grows.push_back(grow);
      chains_[chain].rank.hi = p.rank;
    } else {
      grow = add(p, fate);
    }
  }
  Pending data{.change = Change::kData, .inode = op.inode, .op = index};
  data.offset = op.offset;
  data.length = op.length;
  data.bytes = from.bytes(op);
  data.grow = grow;
  data.stale = profile_.stale && grow != kNone;
  // Only what is new comes before the size, or may hold other bytes: the part that overwrites old
  // blocks has no order. POSIX knows no blocks but the device's.
  const std::uint64_t block = profile_.journal ? kPageSize : profile_.sector;
  const std::uint64_t old_end = (op.size_before + block - 1) / block * block;
  if (grow != kNone && op.offset < old_end) {
    if (old_end >= end) {
      data.grow = kNone;
      data.stale = false;
      add_data(data, fate);
      return;
    }
    Pending inside = data;
    inside.length = old_end - op.offset;
    inside.grow = kNone;
    inside.stale = false;
    add_data(inside, fate);
    data.offset = old_end;
    data.length = end - old_end;
    data.bytes += inside.length;
  }
  add_data(data, fate);
}

void Scene::add_clone(const Op& op, std::uint32_t index, Fate fate) {
  if (profile_.clone_flushes && fate == Fate::kOpen) flushed_by(op.source, index);
  if (frozen_count_ == frozen_.size()) frozen_.emplace_back();
  Frozen& frozen = frozen_[frozen_count_];
  frozen.image = inodes_[op.source].image;
  frozen.changes.clear();
  for (const PendingId id : inodes_[op.source].changes) {
    const Change change = pending_[id].change;
    if (change == Change::kData || change == Change::kTruncate || change == Change::kClone) {
      frozen.changes.push_back(id);
    }
  }
  frozen.whole = false;
  Pending p{.change = Change::kClone, .inode = op.inode, .op = index};
  p.length = op.length;
  p.frozen = static_cast<std::uint32_t>(frozen_count_++);
  add(p, fate);
}

// The data that `inode` was given until now are on the medium before operation `index` is.
void Scene::flushed_by(InodeId inode, std::uint32_t index) {
  for (const PendingId id : inodes_[inode].changes) {
    Pending& p = pending_[id];
    if (p.forced || p.level != level() || p.change > Change::kGrow || p.force <= index) continue;
    undo({Undo::kForce, id, p.force});
    p.force = index;
  }
}

void Scene::begin_level() {
  journals_.push_back({0, 0});
  undo({Undo::kLevel, 0});
}

void Scene::rewind(std::size_t mark) {
  while (trail_.size() > mark) {
    const Undo entry = trail_.back();
    trail_.pop_back();
    const auto a = static_cast<std::uint32_t>(entry.a);
    const auto b = static_cast<std::uint32_t>(entry.b);
    switch (entry.kind) {
      case Undo::kFate:
        fates_[entry.id] = static_cast<std::uint8_t>(a);
        break;
      case Undo::kData:
        data_[entry.id] = {a, b, static_cast<std::uint32_t>(entry.c >> 32),
                           static_cast<std::uint32_t>(entry.c), static_cast<std::uint32_t>(entry.a >> 32)};
        break;
      case Undo::kJournal:
        journals_[entry.id] = {a, b};
        break;
      case Undo::kChain:
        chains_[entry.id].rank = {a, b};
        break;
      case Undo::kForced:
        pending_[entry.id].forced = false;
        break;
      case Undo::kForce:
        pending_[entry.id].force = a;
        break;
      case Undo::kDirectories:
        pending_[entry.id].directories_left = static_cast<std::uint8_t>(a);
        break;
      case Undo::kPending: {
        const Pending& p = pending_.back();
        if (p.inode != kNone) inodes_[p.inode].changes.pop_back();
        for (unsigned i = 0; i < p.names; ++i) names_[p.path[i]].changes.pop_back();
        if (p.frozen != kNone) {
          frozen_[--frozen_count_].image.reset();
        }
        pending_.pop_back();
        break;
      }
      case Undo::kInode:
        inodes_[--inode_count_].image.reset();
        break;
      case Undo::kLevel:
        journals_.pop_back();
        break;
      case Undo::kNewChain:
        --chain_count_;
        break;
      case Undo::kChainGrow:
        chains_[entry.id].grows.pop_back();
        chains_[entry.id].rank.hi = a;
        break;
      case Undo::kOpenChain:
        inodes_[entry.id].open_chain = a;
        break;
      case Undo::kWhole:
        frozen_[entry.id].whole = false;
        break;
    }
  }
}

}  // namespace plugpull
