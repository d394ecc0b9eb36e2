#include "native/explore/crash_view.h"

#include <algorithm>
#include <cstring>

#include "native/storage/error.h"

namespace plugpull {

class CrashFile : public File {
 public:
  CrashFile(CrashView& view, InodeId inode, NameId name, bool writable)
      : view_(view), inode_(inode), name_(name), writable_(writable) {}

  const std::string& path() const override { return view_.names_.at(name_); }

  std::size_t pread(Bytes out, std::uint64_t offset) override {
    const std::uint64_t size = view_.scene_->size(inode_, offset, offset + out.size());
    const std::size_t n = size - offset;
    if (n > 0) view_.scene_->read(inode_, offset, out.first(n));
    return n;
  }

  std::size_t pwrite(ConstBytes in, std::uint64_t offset) override {
    need_writable("pwrite");
    if (!in.empty()) view_.write(inode_, name_, in, offset, false);
    return in.size();
  }

  void datasync() override { perform({.kind = OpKind::kDataSync}); }
  void sync() override { perform({.kind = OpKind::kSync}); }

  void truncate(std::uint64_t size) override {
    need_writable("ftruncate");
    const std::uint64_t before = this->size();
    if (size != before) perform({.kind = OpKind::kTruncate, .length = size, .size_before = before});
  }

  std::uint64_t size() override { return view_.scene_->size(inode_, 0, ~std::uint64_t{0}); }
  unsigned permissions() override { return view_.scene_->mode(inode_); }
  void chmod(unsigned permissions) override { perform({.kind = OpKind::kChmod, .mode = permissions}); }

  void clone_from(File& source) override {
    auto& from = dynamic_cast<CrashFile&>(source);
    if (!view_.scene_->profile().reflink) throw OsError("FICLONE", path(), EOPNOTSUPP);
    need_writable("FICLONE");
    if (from.inode_ == inode_) return;
    perform({.kind = OpKind::kClone, .source = from.inode_, .other = from.name_, .length = from.size()});
  }

  void map_private(std::byte* at, std::size_t length) override {
    view_.pool_.make_accessible(at, length);
    fill({at, length});
  }

  void map_private_except(std::byte* at, std::size_t length,
                          std::span<const std::uint32_t> replaced) override {
    view_.pool_.make_accessible(at, length);
    std::size_t from = 0;
    for (const std::uint32_t page : replaced) {
      const std::size_t to = std::min<std::size_t>(length, std::size_t{page} * kPageSize);
      if (from < to) fill({at + from, to - from}, from);
      from = std::max(from, to + kPageSize);
    }
    if (from < length) fill({at + from, length - from}, from);
  }

  void map_shared(std::byte* at, std::size_t length) override {
    map_private(at, length);
    std::erase_if(view_.shared_, [&](const auto& m) { return m.at < at + length && at < m.at + m.length; });
    view_.shared_.push_back({inode_, at, length, std::vector<std::byte>(at, at + length)});
  }

  void sync_mapping(std::byte* at, std::size_t length) override {
    for (auto& mapping : view_.shared_) {
      if (at < mapping.at || at + length > mapping.at + mapping.length) continue;
      const std::uint64_t size = this->size();
      const auto begin = static_cast<std::uint64_t>(at - mapping.at);
      for (std::uint64_t page = begin; page < begin + length && page < size; page += kPageSize) {
        const std::size_t n = std::min<std::uint64_t>({kPageSize, begin + length - page, size - page});
        if (std::memcmp(mapping.at + page, mapping.shadow.data() + page, n) == 0) continue;
        std::memcpy(mapping.shadow.data() + page, mapping.at + page, n);
        view_.write(inode_, name_, {mapping.at + page, n}, page, true);
      }
      perform({.kind = OpKind::kRangeSync, .offset = begin, .length = length});
      return;
    }
    throw OsError("msync", path(), ENOMEM);
  }

 private:
  void need_writable(const char* operation) const {
    if (!writable_) throw OsError(operation, path(), EBADF);
  }

  void perform(Op op) {
    op.inode = inode_;
    op.path = name_;
    view_.perform(op);
  }

  void fill(Bytes out, std::uint64_t offset = 0) {
    const std::size_t n = view_.scene_->size(inode_, offset, offset + out.size()) - offset;
    if (n > 0) view_.scene_->read(inode_, offset, out.first(n));
    if (n < out.size()) std::memset(out.data() + n, 0, out.size() - n);
  }

  CrashView& view_;
  InodeId inode_;
  NameId name_;
  bool writable_;
};

NameId CrashView::id(const std::string& path) { return names_.id(path); }

void CrashView::begin() {
  done_.clear();
  shared_.clear();
  changed_ = false;
  step_ = kNone;
}

void CrashView::perform(Op op) {
  op.step = step_;
  done_.add(op);
  changed_ = changed_ || is_change(op.kind);
  scene_->apply(done_.ops().back(), done_, static_cast<std::uint32_t>(done_.ops().size()),
                Scene::Fate::kKept);
}

void CrashView::write(InodeId inode, NameId path, ConstBytes in, std::uint64_t offset, bool mapped) {
  const std::uint64_t end = offset + in.size();
  const Op op{.kind = OpKind::kWrite,
              .mapped = mapped,
              .inode = inode,
              .path = path,
              .step = step_,
              .offset = offset,
              .size_before = scene_->size(inode, 0, end)};
  done_.add_write(op, in);
  changed_ = true;
  scene_->apply(done_.ops().back(), done_, static_cast<std::uint32_t>(done_.ops().size()),
                Scene::Fate::kKept);
}

std::unique_ptr<File> CrashView::open(const std::string& path, OpenMode mode) {
  const NameId name = id(path);
  InodeId inode = scene_->lookup(name);
  if (inode == kNone) {
    if (!mode.create) throw OsError("open", path, ENOENT);
    inode = scene_->inode_count();
    perform({.kind = OpKind::kCreate, .mode = mode.permissions, .inode = inode, .path = name});
  } else if (mode.create && mode.exclusive) {
    throw OsError("open", path, EEXIST);
  }
  auto file = std::make_unique<CrashFile>(*this, inode, name, mode.write);
  if (mode.truncate) file->truncate(0);
  return file;
}

bool CrashView::exists(const std::string& path) { return scene_->exists(id(path)); }

void CrashView::rename(const std::string& from, const std::string& to) {
  const InodeId inode = scene_->lookup(id(from));
  if (inode == kNone) throw OsError("rename", from, ENOENT);
  if (from == to) return;
  const bool replaces = scene_->exists(id(to));
  perform({.kind = OpKind::kRename, .replaces = replaces, .inode = inode, .path = id(from), .other = id(to)});
}

void CrashView::unlink(const std::string& path) {
  const InodeId inode = scene_->lookup(id(path));
  if (inode == kNone) throw OsError("unlink", path, ENOENT);
  perform({.kind = OpKind::kUnlink, .inode = inode, .path = id(path)});
}

void CrashView::sync_directory(const std::string& path) {
  perform({.kind = OpKind::kSyncDirectory, .path = id(path)});
}

std::unique_ptr<Reservation> CrashView::reserve(std::size_t size, std::byte* fixed) {
  return pool_.reserve(size, fixed);
}

void CrashView::note_step(std::string_view step) {
  step_ = steps_.id(step);
  done_.add({.kind = OpKind::kStep, .step = step_});
}

void CrashView::ack(std::uint64_t commit) { perform({.kind = OpKind::kAck, .length = commit}); }

}  // namespace plugpull
