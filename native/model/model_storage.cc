#include "native/model/model_storage.h"

#include <algorithm>
#include <cstring>

#include "native/storage/error.h"
#include "native/storage/io.h"

namespace plugpull {

class ModelFile : public File {
 public:
  using Inode = ModelStorage::Inode;
  ModelFile(ModelStorage& storage, std::shared_ptr<Inode> inode, std::string path, bool writable)
      : storage_(storage), inode_(std::move(inode)), path_(std::move(path)), writable_(writable) {}

  const std::string& path() const override { return path_; }

  std::size_t pread(Bytes out, std::uint64_t offset) override {
    const std::lock_guard lock(storage_.mutex_);
    storage_.see_mapped_changes();
    const auto& bytes = inode_->bytes;
    if (offset >= bytes.size()) return 0;
    const std::size_t n = std::min<std::uint64_t>(out.size(), bytes.size() - offset);
    if (n > 0) std::memcpy(out.data(), bytes.data() + offset, n);
    return n;
  }

  std::size_t pwrite(ConstBytes in, std::uint64_t offset) override {
    const std::lock_guard lock(storage_.mutex_);
    need_writable("pwrite");
    storage_.see_mapped_changes();
    if (in.empty()) return 0;
    storage_.write(*inode_, in, offset, false);
    return in.size();
  }

  void datasync() override { sync_as(OpKind::kDataSync, 0, 0); }
  void sync() override { sync_as(OpKind::kSync, 0, 0); }

  void truncate(std::uint64_t size) override {
    const std::lock_guard lock(storage_.mutex_);
    need_writable("ftruncate");
    storage_.see_mapped_changes();
    if (size == inode_->bytes.size()) return;
    storage_.add({.kind = OpKind::kTruncate,
                  .inode = inode_->id,
                  .path = inode_->path,
                  .length = size,
                  .size_before = inode_->bytes.size()});
    inode_->bytes.resize(size);
  }

  std::uint64_t size() override {
    const std::lock_guard lock(storage_.mutex_);
    return inode_->bytes.size();
  }

  unsigned permissions() override {
    const std::lock_guard lock(storage_.mutex_);
    return inode_->mode;
  }

  void chmod(unsigned permissions) override {
    const std::lock_guard lock(storage_.mutex_);
    storage_.see_mapped_changes();
    storage_.add({.kind = OpKind::kChmod, .mode = permissions, .inode = inode_->id, .path = inode_->path});
    inode_->mode = permissions;
  }

  void clone_from(File& source) override {
    auto& from = dynamic_cast<ModelFile&>(source);
    const std::lock_guard lock(storage_.mutex_);
    if (!storage_.profile_->reflink) throw OsError("FICLONE", path_, EOPNOTSUPP);
    need_writable("FICLONE");
    storage_.see_mapped_changes();
    storage_.add({.kind = OpKind::kClone,
                  .inode = inode_->id,
                  .source = from.inode_->id,
                  .path = inode_->path,
                  .other = from.inode_->path,
                  .length = from.inode_->bytes.size(),
                  .size_before = inode_->bytes.size()});
    if (inode_ == from.inode_) return;
    // As the kernel does it: what lies beyond the source's end stays.
    auto& bytes = inode_->bytes;
    const auto& taken = from.inode_->bytes;
    if (bytes.size() < taken.size()) bytes.resize(taken.size());
    if (!taken.empty()) std::memcpy(bytes.data(), taken.data(), taken.size());
  }

  void map_private(std::byte* at, std::size_t length) override {
    const std::lock_guard lock(storage_.mutex_);
    storage_.see_mapped_changes();
    fill(at, length);
  }

  void map_shared(std::byte* at, std::size_t length) override {
    const std::lock_guard lock(storage_.mutex_);
    storage_.see_mapped_changes();
    storage_.forget_mappings(at, length);
    fill(at, length);
    storage_.shared_.push_back({inode_, at, std::vector<std::byte>(at, at + length)});
  }

  void sync_mapping(std::byte* at, std::size_t length) override {
    const std::lock_guard lock(storage_.mutex_);
    storage_.see_mapped_changes();
    for (const auto& mapping : storage_.shared_) {
      if (at < mapping.at || at + length > mapping.at + mapping.shadow.size()) continue;
      storage_.add({.kind = OpKind::kRangeSync,
                    .inode = inode_->id,
                    .path = inode_->path,
                    .offset = static_cast<std::uint64_t>(at - mapping.at),
                    .length = length});
      return;
    }
    throw OsError("msync", path_, ENOMEM);
  }

 private:
  void need_writable(const char* operation) const {
    if (!writable_) throw OsError(operation, path_, EBADF);
  }

  void sync_as(OpKind kind, std::uint64_t offset, std::uint64_t length) {
    const std::lock_guard lock(storage_.mutex_);
    storage_.see_mapped_changes();
    storage_.add(
        {.kind = kind, .inode = inode_->id, .path = inode_->path, .offset = offset, .length = length});
  }

  void fill(std::byte* at, std::size_t length) {
    storage_.pool_.make_accessible(at, length);
    const std::size_t n = std::min(length, inode_->bytes.size());
    if (n > 0) std::memcpy(at, inode_->bytes.data(), n);
    std::memset(at + n, 0, length - n);
  }

  ModelStorage& storage_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
  bool writable_;
};

ModelStorage::ModelStorage(const Options& options)
    : profile_(options.profile != nullptr ? options.profile : profile_by_name("posix")) {
  trace_.recording = Recording(options.trace_bytes);
}

ModelStorage::~ModelStorage() = default;

void ModelStorage::add(Op op, ConstBytes written) {
  // Once the trace is full nothing goes on: what follows would be explored as if it had not happened.
  try {
    op.step = step_;
    if (op.kind == OpKind::kWrite) {
      trace_.recording.add_write(op, written);
    } else {
      trace_.recording.add(op);
    }
  } catch (const TraceLimit&) {
    full_ = true;
    throw;
  }
}

void ModelStorage::write(Inode& inode, ConstBytes in, std::uint64_t offset, bool mapped) {
  Op op{.kind = OpKind::kWrite,
        .mapped = mapped,
        .inode = inode.id,
        .path = inode.path,
        .offset = offset,
        .size_before = inode.bytes.size()};
  add(op, in);
  if (inode.bytes.size() < offset + in.size()) inode.bytes.resize(offset + in.size());
  std::memcpy(inode.bytes.data() + offset, in.data(), in.size());
}

void ModelStorage::see_mapped_changes() {
  for (auto& mapping : shared_) {
    for (std::size_t at = 0; at < mapping.shadow.size(); at += kPageSize) {
      const std::size_t n = std::min(kPageSize, mapping.shadow.size() - at);
      if (std::memcmp(mapping.at + at, mapping.shadow.data() + at, n) == 0) continue;
      std::memcpy(mapping.shadow.data() + at, mapping.at + at, n);
      // What lies beyond the end of the file is never written back.
      const std::size_t size = mapping.inode->bytes.size();
      if (at < size) write(*mapping.inode, {mapping.shadow.data() + at, std::min(n, size - at)}, at, true);
    }
  }
}

void ModelStorage::forget_mappings(const std::byte* at, std::size_t length) {
  for (auto& mapping : shared_) {
    if (at >= mapping.at + mapping.shadow.size() || mapping.at >= at + length) continue;
    // Heaps are unmapped whole or from their end.
    mapping.shadow.resize(at > mapping.at ? static_cast<std::size_t>(at - mapping.at) : 0);
  }
  std::erase_if(shared_, [](const SharedMapping& mapping) { return mapping.shadow.empty(); });
}

std::unique_ptr<File> ModelStorage::open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  see_mapped_changes();
  auto found = names_.find(path);
  if (found == names_.end()) {
    if (!mode.create) throw OsError("open", path, ENOENT);
    auto inode = std::make_shared<Inode>();
    inode->id = trace_.inodes;
    inode->path = trace_.paths.id(path);
    inode->mode = mode.permissions;
    add({.kind = OpKind::kCreate, .mode = mode.permissions, .inode = inode->id, .path = inode->path});
    ++trace_.inodes;
    found = names_.emplace(path, std::move(inode)).first;
  } else if (mode.create && mode.exclusive) {
    throw OsError("open", path, EEXIST);
  }
  Inode& inode = *found->second;
  if (mode.truncate && !inode.bytes.empty()) {
    add({.kind = OpKind::kTruncate,
         .inode = inode.id,
         .path = inode.path,
         .size_before = inode.bytes.size()});
    inode.bytes.clear();
  }
  return std::make_unique<ModelFile>(*this, found->second, path, mode.write);
}

bool ModelStorage::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return names_.contains(path);
}

void ModelStorage::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  see_mapped_changes();
  const auto found = names_.find(from);
  if (found == names_.end()) throw OsError("rename", from, ENOENT);
  if (from == to) return;
  const auto inode = found->second;
  const NameId target = trace_.paths.id(to);
  add({.kind = OpKind::kRename,
       .replaces = names_.contains(to),
       .inode = inode->id,
       .path = trace_.paths.id(from),
       .other = target});
  names_.erase(found);
  names_[to] = inode;
  inode->path = target;
}

void ModelStorage::unlink(const std::string& path) {
  const std::lock_guard lock(mutex_);
  see_mapped_changes();
  const auto found = names_.find(path);
  if (found == names_.end()) throw OsError("unlink", path, ENOENT);
  add({.kind = OpKind::kUnlink, .inode = found->second->id, .path = trace_.paths.id(path)});
  names_.erase(found);
}

void ModelStorage::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  see_mapped_changes();
  add({.kind = OpKind::kSyncDirectory, .path = trace_.paths.id(path)});
}

namespace {

// A reservation of the model: what is unmapped is no longer watched for changes.
class ModelReservation : public Reservation {
 public:
  using Forget = void (*)(void*, const std::byte*, std::size_t);
  ModelReservation(std::unique_ptr<Reservation> inner, void* storage, Forget forget)
      : inner_(std::move(inner)), storage_(storage), forget_(forget) {}
  ~ModelReservation() override { forget_(storage_, base(), size()); }
  std::byte* base() const override { return inner_->base(); }
  std::size_t size() const override { return inner_->size(); }
  void map_zero(std::byte* at, std::size_t length) override { inner_->map_zero(at, length); }
  void unmap(std::byte* at, std::size_t length) override {
    forget_(storage_, at, length);
    inner_->unmap(at, length);
  }

 private:
  std::unique_ptr<Reservation> inner_;
  void* storage_;
  Forget forget_;
};

}  // namespace

std::unique_ptr<Reservation> ModelStorage::reserve(std::size_t size, std::byte* fixed) {
  const std::lock_guard lock(mutex_);
  return std::make_unique<ModelReservation>(pool_.reserve(size, fixed), this,
                                            [](void* self, const std::byte* at, std::size_t length) {
                                              auto& storage = *static_cast<ModelStorage*>(self);
                                              const std::lock_guard lock(storage.mutex_);
                                              storage.see_mapped_changes();
                                              storage.forget_mappings(at, length);
                                            });
}

void ModelStorage::ack(std::uint64_t commit) {
  const std::lock_guard lock(mutex_);
  see_mapped_changes();
  add({.kind = OpKind::kAck, .length = commit});
}

void ModelStorage::note_step(std::string_view step) {
  const std::lock_guard lock(mutex_);
  see_mapped_changes();
  step_ = trace_.steps.id(step);
  add({.kind = OpKind::kStep});
}

std::map<std::string, std::vector<std::byte>> ModelStorage::contents() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::vector<std::byte>> all;
  for (const auto& [path, inode] : names_) all.emplace(path, inode->bytes);
  return all;
}

}  // namespace plugpull
