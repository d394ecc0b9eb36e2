#include "native/model/model_storage.h"

#include <algorithm>
#include <cstring>

#include "native/model/model_file.h"
#include "native/storage/error.h"

namespace plugpull {

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
