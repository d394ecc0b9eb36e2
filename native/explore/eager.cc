#include "native/explore/eager.h"

#include <algorithm>
#include <set>

#include "native/explore/mix.h"

namespace plugpull {

Eager::Eager(Scene& scene) : scene_(scene) {
  const auto& pending = scene.pending();
  candidate_.assign(pending.size(), 0);
  rank_.assign(scene.chains().size(), 0);
  // The journal got up to just before a place that matters, or to its end.
  const Scene::Range reach = scene.journals()[0];
  std::set<std::uint32_t> journal{reach.hi};
  const auto matters = [&](std::uint32_t op) {
    if (op > reach.lo && op <= reach.hi) journal.insert(op - 1);
  };
  for (PendingId id = 0; id < pending.size(); ++id) {
    const Pending& p = pending[id];
    if (p.forced) continue;
    matters(p.need);
    matters(p.force);
    if (p.change == Change::kGrow) continue;
    if (p.change == Change::kData) {
      Variable variable{Variable::kData, id, {}};
      for (std::uint32_t i = 0; i < scene.family(id).tears.size(); ++i) variable.values.push_back(i);
      variables_.push_back(std::move(variable));
    } else if (scene.profile().journal) {
      matters(p.op);
    } else {
      variables_.push_back({Variable::kOwn, id, {0, 1}});
    }
  }
  if (scene.profile().journal) {
    variables_.push_back({Variable::kJournal, 0, {journal.begin(), journal.end()}});
  }
  for (std::uint32_t c = 0; c < scene.chains().size(); ++c) {
    Variable variable{Variable::kChain, c, {}};
    for (std::uint32_t r = scene.chains()[c].rank.lo; r <= scene.chains()[c].rank.hi; ++r) {
      variable.values.push_back(r);
    }
    variables_.push_back(std::move(variable));
  }
}

double Eager::combinations() const {
  double all = 1;
  for (const Variable& variable : variables_) all *= static_cast<double>(variable.values.size());
  return all;
}

void Eager::each(const std::function<void(Scene&, std::uint64_t)>& state) {
  std::vector<std::size_t> at(variables_.size(), 0);
  for (;;) {
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      const Variable& variable = variables_[i];
      const std::uint32_t value = variable.values[at[i]];
      if (variable.kind == Variable::kJournal) {
        journal_ = value;
      } else if (variable.kind == Variable::kChain) {
        rank_[variable.id] = value;
      } else {
        candidate_[variable.id] = value;
      }
    }
    if (allowed()) {
      TearFamilies families(TearRule::kNone, 0);
      Chooser chooser;
      Scene files(scene_.profile(), families, chooser);
      std::uint64_t hash = 0;
      build(files, &hash);
      state(files, hash);
    }
    std::size_t i = 0;
    while (i < at.size() && ++at[i] == variables_[i].values.size()) at[i++] = 0;
    if (i == at.size()) return;
  }
}

bool Eager::kept(PendingId id) const {
  const Pending& p = scene_.pending()[id];
  if (p.forced) return true;
  if (p.change == Change::kGrow) return p.rank <= rank_[p.chain];
  if (scene_.profile().journal) return p.op <= journal_;
  return candidate_[id] == 0;
}

bool Eager::allowed() const {
  const auto& pending = scene_.pending();
  for (PendingId id = 0; id < pending.size(); ++id) {
    const Pending& p = pending[id];
    if (p.forced || !scene_.profile().journal) continue;
    if (p.change == Change::kGrow && p.chain != kNone) {
      const std::uint32_t rank = rank_[p.chain];
      if (p.rank == rank && journal_ < p.need) return false;
      if (p.rank > rank && journal_ >= p.force) return false;
    }
    if (p.change != Change::kData) continue;
    const Tear& tear = scene_.family(id).tears[candidate_[id]];
    const bool whole = tear.kind == Tear::Kind::kWhole;
    const bool absent = !whole && !tear.partial();
    if (!absent && journal_ < p.need) return false;
    if (!whole && journal_ >= p.force) return false;
    if (!whole && scene_.profile().size_after_data && p.grow != kNone) {
      const Pending& grow = pending[p.grow];
      if (grow.chain != kNone && rank_[grow.chain] == grow.rank) return false;
    }
  }
  return true;
}

Eager::File Eager::frozen_file(const Pending& clone, bool whole) {
  const Scene::Frozen& frozen = scene_.frozen_[clone.frozen];
  File file;
  if (frozen.image != nullptr) file.bytes = frozen.image->bytes;
  for (const PendingId id : frozen.changes) apply(scene_.pending()[id], id, whole || frozen.whole, file);
  file.bytes.resize(clone.length);
  return file;
}

void Eager::apply(const Pending& p, PendingId id, bool whole, File& file) {
  if (p.change == Change::kData) {
    const TearFamily& ways = scene_.family(id);
    const bool all = whole || p.forced;
    if (file.bytes.size() < p.offset + p.length) file.bytes.resize(p.offset + p.length);
    for (std::uint64_t i = 0; i < p.length; ++i) {
      const auto unit = static_cast<std::uint32_t>((p.offset + i) / p.unit) - p.first_unit;
      if (all || ways.keeps(candidate_[id], unit)) {
        file.bytes[p.offset + i] = p.bytes[i];
      } else if (ways.tears[candidate_[id]].kind == Tear::Kind::kStale) {
        file.bytes[p.offset + i] = std::byte{0xA5};
      }
    }
    return;
  }
  if (!whole && !kept(id)) return;
  switch (p.change) {
    case Change::kGrow:
      file.size = std::max(file.size, p.length);
      break;
    case Change::kTruncate:
      if (file.bytes.size() > p.length) file.bytes.resize(p.length);
      file.size = p.length;
      break;
    case Change::kMode:
      file.mode = p.mode;
      break;
    case Change::kClone: {
      const File taken = frozen_file(p, whole);
      if (file.bytes.size() < p.length) file.bytes.resize(p.length);
      std::copy(taken.bytes.begin(), taken.bytes.end(), file.bytes.begin());
      file.size = std::max(file.size, p.length);
      break;
    }
    case Change::kData:
    case Change::kNames:
      break;
  }
}

void Eager::build(Scene& files, std::uint64_t* hash) {
  std::vector<File> all(scene_.inode_count());
  for (InodeId i = 0; i < all.size(); ++i) {
    const Scene::Inode& inode = scene_.inodes_[i];
    if (inode.image != nullptr) all[i].bytes = inode.image->bytes;
    all[i].size = inode.size;
    all[i].mode = inode.mode;
    for (const PendingId id : inode.changes) apply(scene_.pending()[id], id, false, all[i]);
  }
  files.paths = scene_.paths;
  for (const File& file : all) {
    const InodeId inode = files.new_inode(file.mode);
    auto image = std::make_shared<Image>();
    image->bytes = file.bytes;
    if (image->bytes.size() > file.size) image->bytes.resize(file.size);
    files.inodes_[inode].image = std::move(image);
    files.inodes_[inode].size = file.size;
  }
  std::uint64_t mixed = 0;
  for (NameId name = 0; name < scene_.names_.size(); ++name) {
    InodeId inode = scene_.names_[name].inode;
    for (const PendingId id : scene_.names_[name].changes) {
      const Pending& p = scene_.pending()[id];
      if (!kept(id)) continue;
      for (unsigned i = 0; i < p.names; ++i) {
        if (p.path[i] == name) inode = p.target[i];
      }
    }
    files.name(name).inode = inode;
    if (inode == kNone) continue;
    mixed = mix(mixed ^ name);
    mixed = mix(mixed ^ files.inodes_[inode].size);
    mixed = mix(mixed ^ files.inodes_[inode].mode);
    for (const std::byte b : files.inodes_[inode].image->bytes) {
      mixed = (mixed ^ static_cast<std::uint64_t>(b)) * 0x100000001B3ULL;
    }
  }
  *hash = mix(mixed);
}

}  // namespace plugpull
