#include "native/heap/planted_heap.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "native/storage/io.h"

namespace plugpull {
namespace {

// In page 0, behind everything that the header's checksum covers.
constexpr std::uint64_t kOpenCountOffset = 2048;

}  // namespace

void PlantedHeap::opened(Allocator& allocator) {
  if (bugs_.has(Bug::kHeapOpenCountInPlace)) count_opening();
  if (bugs_.has(Bug::kHeapFreeListOutsideCommit)) read_free_table(allocator);
}

// Changes the backing file at each opening, behind the backend's back.
void PlantedHeap::count_opening() {
  const auto file = storage_.open(path_, {});
  std::uint64_t count = 0;
  read_all(*file, std::as_writable_bytes(std::span(&count, 1)), kOpenCountOffset);
  ++count;
  write_all(*file, std::as_bytes(std::span(&count, 1)), kOpenCountOffset);
}

void PlantedHeap::write_free_table(const Allocator& allocator) {
  const std::vector<std::uint32_t> table = allocator.free_table();
  const auto file = storage_.open(path_ + ".free", {.create = true});
  write_all(*file, std::as_bytes(std::span(table)), 0);
  file->truncate(table.size() * sizeof table[0]);
}

void PlantedHeap::read_free_table(Allocator& allocator) {
  if (!storage_.exists(path_ + ".free")) return;
  const auto file = storage_.open(path_ + ".free", {.write = false});
  std::vector<std::uint32_t> table(file->size() / sizeof(std::uint32_t));
  read_all(*file, std::as_writable_bytes(std::span(table)), 0);
  allocator.trust_free_table(std::move(table));
}

void PlantedHeap::allocated(Offset block, const Allocator& allocator) {
  if (!bugs_.has(Bug::kHeapMarkedAfterCommit)) return;
  const bool large = block % kPageSize == 0;
  // Runs that own whole extents are left alone: their descriptors are spread over the heap.
  const std::size_t pages = large ? allocator.usable_size(block) / kPageSize : 0;
  if (pages < kExtentPages) allocated_.push_back({block, static_cast<std::uint32_t>(pages)});
}

bool PlantedHeap::keeps_released(Offset block, const Allocator& allocator) {
  std::erase_if(allocated_, [block](const Marked& marked) { return marked.block == block; });
  if (!bugs_.has(Bug::kHeapReleasedAfterCommit)) return false;
  allocator.usable_size(block);  // throws for what is no block, as a right release does
  if (std::find(released_.begin(), released_.end(), block) == released_.end()) released_.push_back(block);
  return true;
}

void PlantedHeap::before_commit(Allocator& allocator) {
  if (bugs_.has(Bug::kHeapFreeListOutsideCommit)) write_free_table(allocator);
  for (const Marked& marked : allocated_) allocator.mark_block(marked.block, marked.pages, false);
}

void PlantedHeap::after_commit(Allocator& allocator) {
  for (const Marked& marked : allocated_) allocator.mark_block(marked.block, marked.pages, true);
  allocated_.clear();
  for (const Offset block : released_) allocator.release(block);
  released_.clear();
}

}  // namespace plugpull
