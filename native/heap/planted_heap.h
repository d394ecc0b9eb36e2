#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "native/heap/allocator.h"

namespace plugpull {

// What the heap's planted bugs need beyond a branch in the right code. Does nothing in a
// heap that was opened without one.
class PlantedHeap {
 public:
  PlantedHeap(Storage& storage, std::string path, PlantedBugs bugs)
      : storage_(storage), path_(std::move(path)), bugs_(bugs) {}

  void opened(Allocator& allocator);
  void allocated(Offset block, const Allocator& allocator);
  // True where the bug keeps the block for now.
  bool keeps_released(Offset block, const Allocator& allocator);
  void before_commit(Allocator& allocator);
  void after_commit(Allocator& allocator);

 private:
  struct Marked {
    Offset block;
    std::uint32_t pages;  // 0: a block on a slab page
  };

  void count_opening();
  void write_free_table(const Allocator& allocator);
  void read_free_table(Allocator& allocator);

  Storage& storage_;
  std::string path_;
  PlantedBugs bugs_;
  std::vector<Marked> allocated_;  // since the last commit
  std::vector<Offset> released_;   // kept until the commit is over
};

}  // namespace plugpull
