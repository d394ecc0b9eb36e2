#include "native/fams/mapped_heap.h"

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "native/storage/error.h"

namespace plugpull {

MappedHeap::MappedHeap(Storage& storage, BackendOptions options)
    : storage_(storage), options_(std::move(options)) {}

void check_size(std::size_t size) {
  if (size == 0 || size % kPageSize != 0) {
    throw std::invalid_argument("the size of a heap is a whole number of pages of 4096 bytes, at least one");
  }
}

void MappedHeap::refuse(const char* operation, int error) const {
  throw OsError(operation, options_.path, error);
}

void MappedHeap::reserve(std::size_t size) {
  constexpr std::size_t kLeast = std::size_t{64} << 20U;
  const std::size_t wanted = options_.max_size != 0 ? options_.max_size : std::max(kLeast, 4 * size);
  const std::size_t whole_pages = (std::max(wanted, size) + kPageSize - 1) / kPageSize * kPageSize;
  reservation_ = storage_.reserve(whole_pages, options_.fixed_address);
  base_ = reservation_->base();
}

void MappedHeap::map(File& file, std::size_t from_file, std::size_t size,
                     std::span<const std::uint32_t> replaced) {
  if (from_file > 0) file.map_private_except(base_, from_file, replaced);
  if (size > from_file) reservation_->map_zero(base_ + from_file, size - from_file);
  size_ = size;
}

void MappedHeap::start(std::uint64_t sequence) {
  sequence_ = sequence;
  committed_size_ = size_;
  cut_ = size_;
  if (options_.read_only) return;
  tracker_ = make_tracker(options_.tracker, size_);
  tracker_->arm(base_, size_);
}

void MappedHeap::check_usable(const char* operation) const {
  if (failure_) std::rethrow_exception(failure_);
  if (base_ == nullptr) refuse(operation, EBADF);
  if (options_.read_only) refuse(operation, EROFS);
}

bool MappedHeap::map_growth(std::size_t from, std::size_t to) {
  reservation_->map_zero(base_ + from, to - from);
  return false;
}

void MappedHeap::resize(std::size_t size) {
  check_usable("resize");
  check_size(size);
  if (size > reservation_->size()) refuse("resize", ENOMEM);
  try {
    remap(size);
  } catch (...) {
    // Memory and tracking may disagree now, and a change could be missed.
    failure_ = std::current_exception();
    throw;
  }
}

void MappedHeap::remap(std::size_t size) {
  const std::size_t before = size_;
  if (size < before) {
    tracker_->arm(base_, size);
    reservation_->unmap(base_ + size, before - size);
    cut_ = std::min(cut_, size);
    map_shrinkage(size);
  } else if (size > before) {
    if (map_growth(before, size)) {
      tracker_ = make_tracker(options_.tracker, size);
      all_changed_ = true;
    }
    tracker_->arm(base_, size);
  }
  size_ = size;
}

void MappedHeap::commit(void (*on_captured)(void*), void* context) {
  check_usable("commit");
  Captured captured(on_captured, context);
  try {
    write_commit(captured);
  } catch (...) {
    // What the tracker named is not durable and will not be named again.
    failure_ = std::current_exception();
    throw;
  }
}

void MappedHeap::checkpoint() {
  check_usable("checkpoint");
  try {
    write_checkpoint();
  } catch (...) {
    failure_ = std::current_exception();
    throw;
  }
}

Change MappedHeap::capture() {
  Change change{tracker_->collect(), size_, cut_};
  if (all_changed_) {
    change.pages.resize(size_ / kPageSize);
    std::iota(change.pages.begin(), change.pages.end(), 0U);
    all_changed_ = false;
  }
  cut_ = size_;
  return change;
}

void MappedHeap::committed(const Change& change, std::size_t pages_written) {
  ++sequence_;
  committed_size_ = change.size;
  last_commit_pages_ = pages_written;
}

void MappedHeap::close() {
  tracker_.reset();
  reservation_.reset();
  base_ = nullptr;
  size_ = 0;
}

}  // namespace plugpull
