#pragma once
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "native/fams/backend.h"
#include "native/tracking/tracker.h"

namespace plugpull {

// The callback of commit(), callable once.
class Captured {
 public:
  Captured(void (*callback)(void*), void* context) : callback_(callback), context_(context) {}
  void operator()() {
    if (callback_ != nullptr) callback_(context_);
    callback_ = nullptr;
  }

 private:
  void (*callback_)(void*);
  void* context_;
};

// What one commit has to make durable.
struct Change {
  std::vector<std::uint32_t> pages;  // ascending
  std::size_t size = 0;              // of the heap
  std::size_t cut = 0;  // smallest size since the commit before: from here on nothing old is left
};

// What all backends share: address space, mapping, growth and shrinkage in memory,
// changed-page tracking, and refusing everything after a failure. A backend adds how its
// files are written.
//
// The first part of the heap is mapped from the backing file, privately; what was added
// by growth since is anonymous memory, so that nobody depends on the end of the file.
class MappedHeap : public Backend {
 public:
  MappedHeap(Storage& storage, BackendOptions options);
  ~MappedHeap() override = default;

  std::byte* data() const final { return base_; }
  std::size_t size() const final { return size_; }
  std::size_t max_size() const final { return reservation_ ? reservation_->size() : 0; }
  std::uint64_t sequence() const final { return sequence_; }
  std::size_t last_commit_pages() const final { return last_commit_pages_; }

  void resize(std::size_t size) final;
  void commit(void (*on_captured)(void*), void* context) final;
  void checkpoint() final;
  void close() override;

 protected:
  // Writes everything that changed and returns when it is durable.
  virtual void write_commit(Captured& captured) = 0;
  virtual void write_checkpoint() {}
  // In memory only; the file follows with the commit. True if pages below `from` were
  // mapped anew, so that nothing is known about their changes.
  virtual bool map_growth(std::size_t from, std::size_t to);
  // After the end of the heap was taken out of the mapping.
  virtual void map_shrinkage(std::size_t /*to*/) {}

  // Reserves address space for a heap of `size` bytes.
  void reserve(std::size_t size);
  // Maps `from_file` bytes of the file and zeros up to `size`. The caller writes the pages
  // `replaced` itself.
  void map(File& file, std::size_t from_file, std::size_t size, std::span<const std::uint32_t> replaced = {});
  // Starts tracking (unless read-only). Everything counts as committed in `sequence`.
  void start(std::uint64_t sequence);

  std::byte* page(std::uint32_t number) const { return base_ + std::size_t{number} * kPageSize; }
  // What changed since the last capture. After this, and after the content of the pages is
  // copied, the heap may change again, in size too.
  Change capture();
  // To be called when a commit is durable.
  void committed(const Change& change, std::size_t pages_written);
  [[noreturn]] void refuse(const char* operation, int error) const;
  void fail(std::exception_ptr error) { failure_ = std::move(error); }
  // Is this bug planted here?
  bool has(Bug bug) const noexcept { return options_.planted.has(bug); }

  Storage& storage_;
  const BackendOptions options_;
  std::unique_ptr<Reservation> reservation_;
  std::byte* base_ = nullptr;
  std::size_t size_ = 0;            // now
  std::size_t committed_size_ = 0;  // as of the newest commit
  std::size_t cut_ = 0;             // smallest size since the last capture
  std::uint64_t sequence_ = 0;
  std::size_t last_commit_pages_ = 0;

 private:
  void check_usable(const char* operation) const;
  void remap(std::size_t size);

  std::unique_ptr<Tracker> tracker_;
  bool all_changed_ = false;
  std::exception_ptr failure_;
};

// The registry's entry of a backend class, which has create() and open().
template <typename Heap>
constexpr BackendKind make_kind(std::string_view name, std::string_view summary, bool failure_atomic,
                                bool needs_reflink, std::span<const std::string_view> steps) {
  return {name,
          summary,
          failure_atomic,
          needs_reflink,
          steps,
          [](Storage& storage, const BackendOptions& options) -> std::unique_ptr<Backend> {
            auto heap = std::make_unique<Heap>(storage, options);
            heap->create();
            return heap;
          },
          [](Storage& storage, const BackendOptions& options) -> std::unique_ptr<Backend> {
            auto heap = std::make_unique<Heap>(storage, options);
            heap->open();
            return heap;
          }};
}

// Checks what create() was given: whole pages, at least one. std::invalid_argument if not.
void check_size(std::size_t size);

}  // namespace plugpull
