#include "native/tracking/compare.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "native/storage/error.h"

namespace plugpull {

CompareTracker::~CompareTracker() {
  if (shadow_ != nullptr) ::munmap(shadow_, size_);
}

void CompareTracker::resize_shadow(std::size_t size) {
  if (size == size_) return;
  void* got = nullptr;
  if (size == 0) {
    ::munmap(shadow_, size_);
  } else if (shadow_ == nullptr) {
    got = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  } else {
    got = ::mremap(shadow_, size_, size, MREMAP_MAYMOVE);
  }
  if (got == MAP_FAILED) throw OsError("mmap", "(shadow of the heap)", errno);
  shadow_ = static_cast<std::byte*>(got);
}

void CompareTracker::arm(std::byte* base, std::size_t size) {
  const std::size_t known = base == base_ ? std::min(size, size_) : 0;
  resize_shadow(size);
  base_ = base;
  size_ = size;
  for (std::size_t at = known; at < size; at += kPageSize) {
    // A page of zeros in the fresh shadow need not be written to.
    if (std::memcmp(shadow_ + at, base + at, kPageSize) != 0) std::memcpy(shadow_ + at, base + at, kPageSize);
  }
}

std::vector<std::uint32_t> CompareTracker::collect() {
  std::vector<std::uint32_t> changed;
  for (std::size_t at = 0; at < size_; at += kPageSize) {
    if (std::memcmp(shadow_ + at, base_ + at, kPageSize) == 0) continue;
    std::memcpy(shadow_ + at, base_ + at, kPageSize);
    changed.push_back(static_cast<std::uint32_t>(at / kPageSize));
  }
  return changed;
}

}  // namespace plugpull
