#include "native/model/model_file.h"

#include <algorithm>
#include <cstring>

#include "native/storage/error.h"

namespace plugpull {

std::size_t ModelFile::pread(Bytes out, std::uint64_t offset) {
  const std::lock_guard lock(storage_.mutex_);
  storage_.see_mapped_changes();
  const auto& bytes = inode_->bytes;
  if (offset >= bytes.size()) return 0;
  const std::size_t n = std::min<std::uint64_t>(out.size(), bytes.size() - offset);
  if (n > 0) std::memcpy(out.data(), bytes.data() + offset, n);
  return n;
}

std::size_t ModelFile::pwrite(ConstBytes in, std::uint64_t offset) {
  const std::lock_guard lock(storage_.mutex_);
  need_writable("pwrite");
  storage_.see_mapped_changes();
  if (in.empty()) return 0;
  storage_.write(*inode_, in, offset, false);
  return in.size();
}

void ModelFile::truncate(std::uint64_t size) {
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

std::uint64_t ModelFile::size() {
  const std::lock_guard lock(storage_.mutex_);
  return inode_->bytes.size();
}

unsigned ModelFile::permissions() {
  const std::lock_guard lock(storage_.mutex_);
  return inode_->mode;
}

void ModelFile::chmod(unsigned permissions) {
  const std::lock_guard lock(storage_.mutex_);
  storage_.see_mapped_changes();
  storage_.add({.kind = OpKind::kChmod, .mode = permissions, .inode = inode_->id, .path = inode_->path});
  inode_->mode = permissions;
}

void ModelFile::clone_from(File& source) {
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

void ModelFile::map_private(std::byte* at, std::size_t length) {
  const std::lock_guard lock(storage_.mutex_);
  storage_.see_mapped_changes();
  fill(at, length);
}

void ModelFile::map_shared(std::byte* at, std::size_t length) {
  const std::lock_guard lock(storage_.mutex_);
  storage_.see_mapped_changes();
  storage_.forget_mappings(at, length);
  fill(at, length);
  storage_.shared_.push_back({inode_, at, std::vector<std::byte>(at, at + length)});
}

void ModelFile::sync_mapping(std::byte* at, std::size_t length) {
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

void ModelFile::need_writable(const char* operation) const {
  if (!writable_) throw OsError(operation, path_, EBADF);
}

void ModelFile::sync_as(OpKind kind) {
  const std::lock_guard lock(storage_.mutex_);
  storage_.see_mapped_changes();
  storage_.add({.kind = kind, .inode = inode_->id, .path = inode_->path});
}

void ModelFile::fill(std::byte* at, std::size_t length) {
  storage_.pool_.make_accessible(at, length);
  const std::size_t n = std::min(length, inode_->bytes.size());
  if (n > 0) std::memcpy(at, inode_->bytes.data(), n);
  std::memset(at + n, 0, length - n);
}

}  // namespace plugpull
