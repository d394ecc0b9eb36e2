#include "native/model/recording.h"

#include <cstring>

namespace plugpull {

NameId NameTable::id(std::string_view name) {
  const auto found = ids_.find(name);
  if (found != ids_.end()) return found->second;
  const auto [entry, fresh] = ids_.emplace(std::string(name), static_cast<NameId>(names_.size()));
  names_.push_back(&entry->first);
  return entry->second;
}

NameId NameTable::find(std::string_view name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? kNone : found->second;
}

TraceLimit::TraceLimit(std::size_t limit)
    : std::runtime_error("the recorded run needs more than the " + std::to_string(limit) +
                         " bytes allowed for a trace: allow more, or record fewer commits") {}

void Recording::add(const Op& op) {
  if (memory_ + sizeof(Op) > limit_) throw TraceLimit(limit_);
  memory_ += sizeof(Op);
  ops_.push_back(op);
}

std::byte* Recording::claim(std::size_t length, std::uint64_t* content) {
  while (chunk_ < chunks_.size() && sizes_[chunk_] - used_ < length) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) {
    const std::size_t size = std::max<std::size_t>(length, 1ULL << kChunkShift);
    chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
    sizes_.push_back(size);
    used_ = 0;
  }
  std::byte* at = chunks_[chunk_].get() + used_;
  *content = (static_cast<std::uint64_t>(chunk_) << kChunkShift) | used_;
  used_ += length;
  // The next write would start beyond what an offset in a chunk can say.
  if (used_ > kChunkMask) {
    ++chunk_;
    used_ = 0;
  }
  return at;
}

void Recording::add_write(Op op, ConstBytes bytes) {
  if (memory_ + sizeof(Op) + bytes.size() > limit_) throw TraceLimit(limit_);
  std::byte* at = claim(bytes.size(), &op.content);
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  op.length = bytes.size();
  memory_ += bytes.size();
  add(op);
}

void Recording::clear() {
  ops_.clear();
  memory_ = 0;
  chunk_ = 0;
  used_ = 0;
}

}  // namespace plugpull
