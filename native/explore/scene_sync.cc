// What a sync makes durable, by the rules of the profile.
#include <string>

#include "native/explore/scene.h"
#include "native/storage/io.h"

namespace plugpull {
namespace {

bool journalled(const Pending& p) { return p.change >= Change::kTruncate; }

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

void Scene::force(PendingId id) {
  Pending& p = pending_[id];
  if (p.forced) return;
  undo({Undo::kForced, id});
  p.forced = true;
  if (p.change == Change::kGrow && p.chain != kNone) {
    const Range range = chains_[p.chain].rank;
    if (range.lo < p.rank) set_chain(p.chain, {p.rank, range.hi});
  }
  if (p.change == Change::kClone && !frozen_[p.frozen].whole) {
    undo({Undo::kWhole, p.frozen});
    frozen_[p.frozen].whole = true;
  }
}

void Scene::force_prefix(std::uint32_t bound) {
  const Range range = journals_[level()];
  if (range.lo < bound) set_journal(level(), {bound, std::max(bound, range.hi)});
  for (PendingId id = 0; id < pending_.size(); ++id) {
    const Pending& p = pending_[id];
    if (p.forced || p.level != level()) continue;
    if ((journalled(p) && p.op <= bound) || p.force <= bound) force(id);
  }
}

void Scene::sync_file(const Op& op, std::uint32_t index) {
  const bool data_only = op.kind != OpKind::kSync;
  const std::uint64_t from = op.kind == OpKind::kRangeSync ? op.offset : 0;
  const std::uint64_t to = op.kind == OpKind::kRangeSync ? op.offset + op.length : ~std::uint64_t{0};
  // With a journal: how far it must have got.
  std::uint32_t bound = 0;
  for (const PendingId id : inodes_[op.inode].changes) {
    const Pending& p = pending_[id];
    if (p.forced || p.level != level()) continue;
    switch (p.change) {
      case Change::kData:
        if (p.offset >= from && p.offset + p.length <= to) force(id);
        continue;
      case Change::kGrow:
        // The new size becomes part of the transaction that is committed now.
        force(id);
        bound = index;
        continue;
      case Change::kMode:
        if (data_only) continue;
        break;
      case Change::kNames:
        // A file's own creation goes with its inode; other names only with all of the inode.
        if (!profile_.sync_names || (data_only && p.names == 2) || p.target[p.names - 1] == kNone) continue;
        break;
      case Change::kTruncate:
      case Change::kClone:
        break;
    }
    if (!profile_.journal || profile_.sync_own_only) {
      force(id);
    } else {
      bound = std::max(bound, p.op);
    }
  }
  if (profile_.journal && !profile_.sync_own_only && bound > 0) force_prefix(bound);
}

NameId Scene::directory(NameId path) {
  if (path >= directories_.size()) directories_.resize(path + 1, kNone);
  if (directories_[path] == kNone) {
    directories_[path] = directory_names_.id(without_slash(directory_of(paths->at(path))));
  }
  return directories_[path];
}

void Scene::sync_directory(NameId path) {
  const NameId wanted = directory_names_.id(without_slash(paths->at(path)));
  std::uint32_t bound = 0;
  for (PendingId id = 0; id < pending_.size(); ++id) {
    Pending& p = pending_[id];
    if (p.forced || p.level != level() || p.change != Change::kNames) continue;
    std::uint8_t left = p.directories_left;
    for (unsigned i = 0; i < p.names; ++i) {
      if (directory(p.path[i]) == wanted) left = static_cast<std::uint8_t>(left & ~(1U << i));
    }
    if (left == p.directories_left) continue;
    if (profile_.journal && !profile_.sync_own_only) {
      bound = std::max(bound, p.op);
    } else if (left == 0) {
      // Both directories of a rename across directories have been synced.
      force(id);
    } else {
      undo({Undo::kDirectories, id, p.directories_left});
      p.directories_left = left;
    }
  }
  if (bound > 0) force_prefix(bound);
}

}  // namespace plugpull
