#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "native/planted/planted.h"
#include "native/storage/storage.h"

namespace plugpull {

enum class TrackerKind { kAuto, kPagemap, kMprotect, kCompare };

struct BackendOptions {
  std::string path;      // the backing file; helpers sit beside it: path + ".log0", ".journal", ".snap0" …
  std::size_t size = 0;  // bytes, whole pages; used by create
  std::size_t max_size = 0;  // bytes of address space to reserve; 0: max(64 MiB, 4 × size)
  std::byte* fixed_address = nullptr;
  TrackerKind tracker = TrackerKind::kAuto;
  std::size_t log_bytes = 0;  // bound of a log (redo); 0: the backend chooses
  bool background = false;    // redo: apply the log on a thread; else inside commit(), after the flush
  bool read_only = false;     // recover, map, never change: no tracker, commit() refused
  std::uint64_t identity =
      0;  // mixed into checksums so that files of two heaps are never taken for one another
  PlantedBugs planted;
};

// One failure-atomic mapped file: what FAMS promises, in one interface. After any
// failure, open() gives the state of the last commit() that returned, or of the one
// that was under way. Writers must hold still from the call of commit() until
// on_captured has been called (from then on they may go on, while the flush runs).
//
// Any OsError from commit() leaves the object `failed`: further commits are refused
// with the first error until the heap is opened again. fsync is never retried.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::byte* data() const = 0;
  virtual std::size_t size() const = 0;  // current, with uncommitted growth
  virtual std::size_t max_size() const = 0;
  virtual std::uint64_t sequence() const = 0;  // number of the newest commit; creation is 0
  // Grows (new pages are zero) or shrinks; becomes durable with the next commit.
  virtual void resize(std::size_t size) = 0;
  // The failure-atomic msync. `on_captured` may be empty.
  virtual void commit(void (*on_captured)(void*) = nullptr, void* context = nullptr) = 0;
  // Brings the backing file up to date off the commit path, where the backend defers that.
  virtual void checkpoint() {}
  // Pages changed by the last commit() (what it wrote), for tests and reports.
  virtual std::size_t last_commit_pages() const = 0;
  // Gives back mapping and descriptors. Does not commit. Called by the destructor.
  virtual void close() = 0;
};

struct BackendKind {
  std::string_view name;
  std::string_view summary;
  bool failure_atomic;  // false for the negative control
  bool needs_reflink;
  std::span<const std::string_view> steps;  // every step that create, commit, checkpoint and open can pass
  std::unique_ptr<Backend> (*create)(Storage&, const BackendOptions&);  // makes commit 0 durable
  std::unique_ptr<Backend> (*open)(Storage&,
                                   const BackendOptions&);  // recovers; FormatError kAbsent if never created
};

// The registry: one line per backend in registry.cc.
std::span<const BackendKind> all_backends() noexcept;
const BackendKind* backend_by_name(std::string_view name) noexcept;

}  // namespace plugpull
