#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "native/storage/storage.h"

namespace plugpull {

// Address space for heaps, used again by the next one: a page that was touched once is not faulted in
// again, which would cost more than all the rest of opening a small heap.
class MemoryPool {
 public:
  MemoryPool() = default;
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  // OsError EEXIST if `fixed` is asked for and taken. The pool must outlive what it gives.
  std::unique_ptr<Reservation> reserve(std::size_t size, std::byte* fixed);
  // Makes [at, at + length) of a reservation readable and writable; its content is whatever was there before.
  // OsError EINVAL if it is not inside one.
  void make_accessible(std::byte* at, std::size_t length);
  // Gives back what only waits to be used again: another pool may need the same address.
  void release_unused();

 private:
  friend class PooledReservation;
  struct Region {
    std::byte* base = nullptr;
    std::size_t size = 0;
    std::size_t writable = 0;  // bytes from base that are accessible
    bool used = false;
  };
  std::vector<std::unique_ptr<Region>> regions_;
};

}  // namespace plugpull
