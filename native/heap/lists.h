#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "native/heap/size_class.h"

namespace plugpull {

// The allocator's volatile lists, rebuilt from the descriptors after open.

// Runs of free pages, neighbours merged.
class FreeRuns {
 public:
  void clear() { runs_.clear(); }
  // [start, start + length) becomes free.
  void add(std::uint32_t start, std::uint32_t length);
  // The lowest run of at least `length` pages, taken from its start.
  std::optional<std::uint32_t> take(std::uint32_t length);
  // Takes [start, start + length), which must be free.
  void take_at(std::uint32_t start, std::uint32_t length);
  bool contains(std::uint32_t page) const;
  // Length of the run that starts exactly at `start`; 0 if none does.
  std::uint32_t length_at(std::uint32_t start) const;
  // Start of the run that ends at `end`; `end` if none does.
  std::uint32_t start_of_run_ending_at(std::uint32_t end) const;
  // Forgets everything from `page` on.
  void cut(std::uint32_t page);
  const std::map<std::uint32_t, std::uint32_t>& all() const { return runs_; }

 private:
  std::map<std::uint32_t, std::uint32_t> runs_;  // start -> length
};

// Slab pages with at least one free block, one list for each class; the page used last
// comes first, because it is probably changed already and costs nothing more to commit.
class PartialPages {
 public:
  PartialPages() { heads_.fill(kNone); }
  void clear(std::uint32_t page_count);
  void grow(std::uint32_t page_count) { links_.resize(page_count); }

  static constexpr std::uint32_t kNone = 0xffffffff;
  std::uint32_t front(std::size_t size_class) const { return heads_[size_class]; }
  std::uint32_t next(std::uint32_t page) const { return links_[page].next; }
  bool contains(std::uint32_t page) const { return page < links_.size() && links_[page].listed; }
  // Puts `page` first; it may be listed already (in the same class).
  void use(std::size_t size_class, std::uint32_t page);
  void remove(std::size_t size_class, std::uint32_t page);

 private:
  struct Link {
    std::uint32_t previous = kNone;
    std::uint32_t next = kNone;
    bool listed = false;
  };
  std::array<std::uint32_t, kClassCount> heads_;
  std::vector<Link> links_;
};

}  // namespace plugpull
