#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "native/heap/heap.h"
#include "native/heap/page_map.h"

namespace plugpull {

// Adds one problem to a list that stays bounded: at 32, then counts the rest.
class Problems {
 public:
  void add(std::string problem);
  std::vector<std::string> take();  // with "… and N more" at the end, where there are more

 private:
  std::vector<std::string> list_;
  std::uint64_t more_ = 0;
};

struct Block {
  Offset offset;
  std::uint64_t bytes;
};

// Walks all pages of a heap of `page_count` pages and checks every descriptor and slab
// header against the others. Trusts nothing: meant for heaps that a crash left behind.
// Returns the allocated blocks in order and counts the free pages.
std::vector<Block> walk_pages(const PageMap& map, std::uint32_t page_count, Problems& problems,
                              std::uint64_t& free_pages);

// Every block is reached exactly once, and only blocks are.
void check_reachable(const std::vector<Block>& blocks, std::vector<Offset> reachable, Problems& problems);

}  // namespace plugpull
