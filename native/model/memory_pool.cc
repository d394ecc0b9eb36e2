#include "native/model/memory_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "native/storage/error.h"

namespace plugpull {

class PooledReservation : public Reservation {
 public:
  PooledReservation(MemoryPool& pool, MemoryPool::Region* region) : pool_(pool), region_(region) {
    region_->used = true;
  }
  ~PooledReservation() override { region_->used = false; }

  std::byte* base() const override { return region_->base; }
  std::size_t size() const override { return region_->size; }

  void map_zero(std::byte* at, std::size_t length) override {
    pool_.make_accessible(at, length);
    std::memset(at, 0, length);
  }

  // Memory stays accessible for the next user of the pool: a use after unmap is not trapped here.
  void unmap(std::byte*, std::size_t) override {}

 private:
  MemoryPool& pool_;
  MemoryPool::Region* region_;
};

MemoryPool::~MemoryPool() {
  for (const auto& region : regions_) ::munmap(region->base, region->size);
}

std::unique_ptr<Reservation> MemoryPool::reserve(std::size_t size, std::byte* fixed) {
  for (const auto& region : regions_) {
    if (!region->used && region->size == size && (fixed == nullptr || region->base == fixed)) {
      return std::make_unique<PooledReservation>(*this, region.get());
    }
  }
  const int flags =
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (fixed != nullptr ? MAP_FIXED_NOREPLACE : 0);
  void* base = ::mmap(fixed, size, PROT_NONE, flags, -1, 0);
  if (base == MAP_FAILED && errno == EEXIST) {
    // What is in the way may be memory that only waits to be used again.
    release_unused();
    base = ::mmap(fixed, size, PROT_NONE, flags, -1, 0);
  }
  if (base == MAP_FAILED) throw OsError("mmap", "reserved memory", errno);
  auto region = std::make_unique<Region>();
  region->base = static_cast<std::byte*>(base);
  region->size = size;
  regions_.push_back(std::move(region));
  return std::make_unique<PooledReservation>(*this, regions_.back().get());
}

void MemoryPool::release_unused() {
  std::erase_if(regions_, [](const auto& region) {
    return !region->used && ::munmap(region->base, region->size) == 0;
  });
}

void MemoryPool::make_accessible(std::byte* at, std::size_t length) {
  for (const auto& region : regions_) {
    if (at < region->base || at + length > region->base + region->size) continue;
    const std::size_t end = static_cast<std::size_t>(at - region->base) + length;
    // Always from the base: whoever used the memory before may have left pages protected.
    const std::size_t writable = std::max(end, region->writable);
    if (::mprotect(region->base, writable, PROT_READ | PROT_WRITE) != 0) {
      throw OsError("mprotect", "reserved memory", errno);
    }
    region->writable = writable;
    return;
  }
  throw OsError("map", "memory that was not reserved", EINVAL);
}

}  // namespace plugpull
