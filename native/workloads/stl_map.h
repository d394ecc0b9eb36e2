#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "native/heap/heap.h"

namespace plugpull {

// An allocator that lives in the heap together with its container cannot hold a pointer to
// anything that dies with the process. So it holds nothing: the heap is set for the time of each
// operation, for this thread.
class HeapScope {
 public:
  explicit HeapScope(Heap& heap) : before_(std::exchange(current_, &heap)) {}
  ~HeapScope() { current_ = before_; }
  HeapScope(const HeapScope&) = delete;
  HeapScope& operator=(const HeapScope&) = delete;
  static Heap& current() { return *current_; }

 private:
  static thread_local Heap* current_;
  Heap* before_;
};

template <typename T>
struct HeapAllocator {
  using value_type = T;
  HeapAllocator() = default;
  template <typename U>
  HeapAllocator(const HeapAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) {
    static_assert(alignof(T) <= 16);
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
    Heap& heap = HeapScope::current();
    const Offset block = heap.allocate(count * sizeof(T));
    return reinterpret_cast<T*>(heap.data() + block);
  }
  void deallocate(T* block, std::size_t) {
    Heap& heap = HeapScope::current();
    heap.release(static_cast<Offset>(reinterpret_cast<std::byte*>(block) - heap.data()));
  }
  bool operator==(const HeapAllocator&) const noexcept { return true; }
};

// A std::map whose object and nodes lie in a heap at a fixed address, linked by the raw pointers that
// libstdc++ uses. The heap's root is the map.
class StlMap {
 public:
  using Map = std::map<std::uint64_t, std::uint64_t, std::less<std::uint64_t>,
                       HeapAllocator<std::pair<const std::uint64_t, std::uint64_t>>>;

  // Makes an empty map in a heap without root. std::runtime_error where the root is something else.
  explicit StlMap(std::shared_ptr<Heap> heap);

  void insert(std::uint64_t key, std::uint64_t value);  // or replaces the value
  bool erase(std::uint64_t key);
  std::optional<std::uint64_t> get(std::uint64_t key) const;
  std::size_t size() const;

  struct Contents {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> pairs;  // in order
    std::vector<Offset> blocks;                                  // the map and all nodes
  };
  // Checks the whole red-black tree before it believes it: each node is an allocated block inside the
  // heap, its parent and colours are right, keys ascend. std::runtime_error says what is not.
  Contents read() const;

 private:
  struct Root;
  Root& root() const;

  std::shared_ptr<Heap> heap_;
};

}  // namespace plugpull
