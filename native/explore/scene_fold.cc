// Going forward: what is durable for sure becomes part of the images, so that the cost of a state follows
// what is pending and not the length of the run.
#include <algorithm>
#include <cstring>

#include "native/explore/scene.h"

namespace plugpull {
namespace {

bool overlap(const Pending& a, std::uint64_t from, std::uint64_t length) {
  return a.offset < from + length && from < a.offset + a.length;
}

}  // namespace

// Would the result differ if `p` were applied before the open changes `before`?
bool Scene::blocked(const Pending& p, const std::vector<PendingId>& before) const {
  return std::ranges::any_of(before, [&](PendingId id) {
    const Pending& q = pending_[id];
    switch (p.change) {
      case Change::kData:
        return q.change == Change::kTruncate || q.change == Change::kClone ||
               (q.change == Change::kData && overlap(q, p.offset, p.length));
      case Change::kGrow:
        return q.change == Change::kTruncate;
      case Change::kTruncate:
        return q.change <= Change::kTruncate || q.change == Change::kClone;
      case Change::kClone:
        return q.change == Change::kTruncate || q.change == Change::kClone ||
               (q.change == Change::kData && overlap(q, 0, p.length));
      case Change::kMode:
        return q.change == Change::kMode;
      case Change::kNames:
        return false;
    }
    return true;
  });
}

void Scene::fold_change(Inode& inode, const Pending& p) {
  if (p.change == Change::kMode) inode.mode = p.mode;
  if (p.change == Change::kGrow) inode.size = std::max(inode.size, p.length);
  if (p.change != Change::kData && p.change != Change::kTruncate && p.change != Change::kClone) return;

  // A clone may still refer to the bytes as they are.
  auto image = inode.image == nullptr        ? std::make_shared<Image>()
               : inode.image.use_count() > 1 ? std::make_shared<Image>(*inode.image)
                                             : std::const_pointer_cast<Image>(inode.image);
  auto& bytes = image->bytes;
  if (p.change == Change::kTruncate) {
    if (bytes.size() > p.length) bytes.resize(p.length);
    inode.size = p.length;
  } else {
    const std::uint64_t end = p.offset + p.length;
    if (bytes.size() < end) bytes.resize(end);
    if (p.change == Change::kData) {
      std::memcpy(bytes.data() + p.offset, p.bytes, p.length);
    } else {
      const Frozen& frozen = frozen_[p.frozen];
      read_changes(frozen.image.get(), frozen.changes, frozen.changes.size(), 0, bytes.data(), p.length,
                   true);
      inode.size = std::max(inode.size, p.length);
    }
  }
  inode.image = std::move(image);
}

void Scene::fold_inode(Inode& inode) {
  std::vector<PendingId> open;
  std::vector<PendingId> left;
  for (const PendingId id : inode.changes) {
    const Pending& p = pending_[id];
    if (p.change == Change::kNames) {
      left.push_back(id);
    } else if (!p.forced || blocked(p, open)) {
      left.push_back(id);
      open.push_back(id);
    } else {
      fold_change(inode, p);
    }
  }
  inode.changes = std::move(left);
}

void Scene::fold_names() {
  // A change of names stays while an open one before it touches the same name.
  std::vector<PendingId> order;
  for (PendingId id = 0; id < pending_.size(); ++id) {
    if (pending_[id].change == Change::kNames) order.push_back(id);
  }
  std::vector<bool> gone(pending_.size(), false);
  for (const PendingId id : order) {
    const Pending& p = pending_[id];
    if (!p.forced) continue;
    bool first = true;
    for (unsigned i = 0; i < p.names; ++i) first = first && names_[p.path[i]].changes.front() == id;
    if (!first) continue;
    for (unsigned i = 0; i < p.names; ++i) {
      Name& entry = names_[p.path[i]];
      entry.inode = p.target[i];
      entry.changes.erase(entry.changes.begin());
    }
    gone[id] = true;
  }
  for (Inode& inode : inodes_) {
    std::erase_if(inode.changes, [&](PendingId id) { return gone[id]; });
  }
}

void Scene::fold() {
  for (InodeId i = 0; i < inode_count_; ++i) fold_inode(inodes_[i]);
  fold_names();
  renumber();
}

// Drops what nothing refers to any more, and gives the rest numbers without gaps.
void Scene::renumber() {
  std::vector<bool> used(pending_.size(), false);
  std::vector<PendingId> todo;
  const auto use = [&](PendingId id) {
    if (used[id]) return;
    used[id] = true;
    todo.push_back(id);
  };
  for (const Name& entry : names_) std::ranges::for_each(entry.changes, use);
  for (InodeId i = 0; i < inode_count_; ++i) std::ranges::for_each(inodes_[i].changes, use);
  std::vector<bool> listed = used;
  while (!todo.empty()) {
    const Pending& p = pending_[todo.back()];
    todo.pop_back();
    if (p.change == Change::kClone) std::ranges::for_each(frozen_[p.frozen].changes, use);
  }

  std::vector<PendingId> number(pending_.size(), kNone);
  PendingId next = 0;
  for (PendingId id = 0; id < pending_.size(); ++id) {
    if (used[id]) number[id] = next++;
  }
  const auto renumber_all = [&](std::vector<PendingId>& ids) {
    for (PendingId& id : ids) id = number[id];
  };
  for (Name& entry : names_) renumber_all(entry.changes);
  for (InodeId i = 0; i < inode_count_; ++i) {
    renumber_all(inodes_[i].changes);
    inodes_[i].open_chain = kNone;
  }

  // Sizes that are still open form their chains anew.
  std::vector<Chain> chains;
  std::vector<std::uint32_t> chain_number(chain_count_, kNone);
  std::vector<Frozen> frozen;
  for (PendingId id = 0; id < pending_.size(); ++id) {
    if (!used[id]) continue;
    Pending p = pending_[id];
    if (p.change == Change::kGrow) {
      if (p.forced || !listed[id] || p.chain == kNone) {
        p.chain = kNone;
      } else {
        std::uint32_t& chain = chain_number[p.chain];
        if (chain == kNone) {
          chain = static_cast<std::uint32_t>(chains.size());
          chains.emplace_back();
        }
        chains[chain].grows.push_back(number[id]);
        p.chain = chain;
        p.rank = chains[chain].rank.hi = static_cast<std::uint32_t>(chains[chain].grows.size());
      }
    }
    if (p.change == Change::kClone) {
      renumber_all(frozen_[p.frozen].changes);
      frozen.push_back(std::move(frozen_[p.frozen]));
      p.frozen = static_cast<std::uint32_t>(frozen.size()) - 1;
    }
    if (p.grow != kNone) p.grow = number[p.grow];
    p.same = kNone;
    pending_[number[id]] = p;
  }
  pending_.resize(next);
  chain_count_ = static_cast<std::uint32_t>(chains.size());
  chains_ = std::move(chains);
  frozen_count_ = frozen.size();
  frozen_ = std::move(frozen);
  // A file that goes on growing goes on with its chain, unless it was cut shorter since.
  for (InodeId i = 0; i < inode_count_; ++i) {
    for (const PendingId id : inodes_[i].changes) {
      const Pending& p = pending_[id];
      if (p.change == Change::kGrow && p.chain != kNone) inodes_[i].open_chain = p.chain;
      if (p.change == Change::kTruncate) inodes_[i].open_chain = kNone;
    }
  }
  fates_.assign(next, 0);
  data_.assign(next, {});
  same_.clear();
}

}  // namespace plugpull
