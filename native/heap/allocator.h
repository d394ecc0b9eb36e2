#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "native/fams/backend.h"
#include "native/heap/format.h"
#include "native/heap/lists.h"
#include "native/heap/page_map.h"

namespace plugpull {

using Offset = std::uint64_t;

// Hands out blocks of a heap's pages. Small blocks (up to 4032 bytes) lie on slab pages,
// larger ones are runs of whole pages. Everything persistent is on the pages themselves;
// the lists are volatile and are built at the first change, so that opening is cheap.
// Not thread-safe: Heap locks.
class Allocator {
 public:
  // `fresh`: the heap was just created, all pages but the descriptors are zero.
  Allocator(Backend& backend, const std::string& path, PlantedBugs planted, bool fresh);

  Offset allocate(std::size_t bytes);
  void release(Offset block);
  std::size_t usable_size(Offset block) const;
  void trim();

  // To be called when a commit has taken what was changed: no page counts as changed then.
  void captured() { recent_.clear(); }
  // To be called when it is over.
  void committed();

  std::uint32_t page_count() const { return page_count_; }
  const std::vector<HugeRun>& huge_runs() const { return huge_; }
  const PageMap& map() const { return map_; }
  // Reports where the volatile lists, if they are built, disagree with the pages.
  void check_lists(std::vector<std::string>& problems);

  // Planted: what the allocator believes of each page, read from a file of its own
  // instead of the pages. Empty in a right heap.
  std::vector<std::uint32_t> free_table() const;
  void trust_free_table(std::vector<std::uint32_t> table) { trusted_ = std::move(table); }
  // Planted: takes back, or gives back, the mark that `block` is allocated.
  void mark_block(Offset block, std::uint32_t pages, bool allocated);

 private:
  struct Place {  // an allocated block
    Descriptor descriptor;
    std::uint32_t page;
    std::uint32_t index;  // in its slab page
  };

  Place find(Offset block) const;  // std::invalid_argument if it is none
  HeapHeader& header() const { return *reinterpret_cast<HeapHeader*>(map_.page(0)); }
  bool covered(std::uint32_t page) const;
  // The descriptor, for a slab page with the number of its free blocks in place of the class.
  Descriptor descriptor_with_free_blocks(std::uint32_t page) const;
  // What the lists are built from.
  std::uint32_t believed(std::uint32_t page) const;
  void build_lists();

  Offset allocate_small(std::size_t size_class);
  Offset allocate_large(std::uint32_t pages);
  Offset allocate_huge(std::uint32_t pages);
  std::uint32_t take_slab_page(std::size_t size_class);
  void release_large(std::uint32_t page, std::uint32_t pages);
  void free_page(std::uint32_t page);
  bool extent_is_free(std::uint32_t extent) const;
  // Makes sure that a run of `pages` inside one extent is free, by growth.
  void grow_for(std::uint32_t pages);
  void grow_to(std::uint64_t pages);
  void set_page_count(std::uint32_t pages);
  void zero(std::uint32_t page, std::uint32_t pages);

  Backend& backend_;
  std::string path_;
  PlantedBugs planted_;
  PageMap map_;
  std::uint32_t page_count_;
  // Pages from here on are known to be zero, descriptor pages aside.
  std::uint32_t fresh_from_;
  std::vector<HugeRun> huge_;
  bool built_ = false;
  FreeRuns runs_;
  PartialPages partial_;
  // Pages that became free since the last commit: they are changed already, so they are used first.
  std::vector<std::uint32_t> recent_;
  std::vector<std::uint32_t> trusted_;
};

}  // namespace plugpull
