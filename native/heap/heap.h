#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "native/fams/backend.h"

namespace plugpull {

using Offset = std::uint64_t;  // from the start of the heap; 0 is null

struct HeapOptions {
  BackendOptions backend;
  std::string backend_name = "redo";
  std::string layout;  // name of the application's data layout, e.g. "bank/1", at most 63 bytes
  // Structures hold raw pointers: always mapped at the address that belongs to
  // backend.identity (see fixed_heap_address), never silently anywhere else.
  bool fixed_address = false;
};

// The address of a heap with raw pointers, and how much can be mapped there.
std::byte* fixed_heap_address(std::uint64_t identity) noexcept;
inline constexpr std::size_t kFixedSlotBytes = std::size_t{16} << 30;

struct HeapReport {
  std::vector<std::string> problems;  // empty: sound. Bounded at 32, then "… and N more".
  std::uint64_t allocated_blocks = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t free_pages = 0;
};

// A persistent heap over a FAMS backend: allocator, root, layout fingerprint, integrity
// check. The cost model is "pay for every page changed since the last commit", so a
// block's allocation state lies on the page of the block itself.
//
// All calls but data() and writers() may come from any thread; commit() excludes the
// writers that hold writers(). Errors: OsError (EROFS for a change of a heap opened
// read-only), FormatError from open, std::invalid_argument for wrong arguments.
class Heap {
 public:
  // Makes the files. The empty heap becomes visible to open() with the first commit();
  // a creation that ended before says FormatError kAbsent.
  static std::unique_ptr<Heap> create(Storage& storage, const HeapOptions& options);
  // Recovers. An empty options.layout takes any layout. FormatError says by kind why
  // the bytes are no heap of this program.
  static std::unique_ptr<Heap> open(Storage& storage, const HeapOptions& options);
  ~Heap();

  std::byte* data() const;
  std::size_t size() const;
  bool fixed() const;  // was it opened at its fixed address?
  Offset root() const;
  void set_root(Offset offset);
  std::string layout() const;
  void set_layout(const std::string& name);  // a schema upgrade; durable with the next commit

  // Zeroed memory, 16-byte aligned (page-aligned from 4033 bytes up). Grows the heap
  // when full: doubles, at least 16 pages; OsError ENOMEM at max_size.
  Offset allocate(std::size_t bytes);
  void release(Offset block);  // throws std::invalid_argument for what is not an allocated block
  std::size_t usable_size(Offset block) const;
  void trim();  // gives free pages at the end back

  // `on_captured` is called on this thread when writers may go on (see Backend::commit).
  void commit(void (*on_captured)(void*) = nullptr, void* context = nullptr);
  void checkpoint();
  std::uint64_t sequence() const;
  std::size_t last_commit_pages() const;
  // Threads that write hold this shared; commit() takes it alone while it captures.
  std::shared_mutex& writers();

  // The whole allocator, and with `reachable` (offsets of every block the application can
  // reach): nothing allocated is unreachable, nothing reachable is free, no two overlap.
  HeapReport verify(const std::vector<Offset>* reachable) const;
  void close();

 private:
  struct Impl;
  explicit Heap(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plugpull
