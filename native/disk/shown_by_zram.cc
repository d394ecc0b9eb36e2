#include <fcntl.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "native/disk/shown_disk.h"
#include "native/disk/zram.h"

namespace plugpull::disk {

namespace {

constexpr uint64_t kUnknown = 0;

class ShownByZram : public ShownDisk {
 public:
  ShownByZram(Medium& medium, const std::string& folder)
      : medium_(medium),
        zram_(add_zram(medium.blocks() * kBlock, folder)),
        held_(medium.blocks(), kUnknown),
        stale_(medium.blocks()) {}

  ~ShownByZram() override { remove_zram(zram_.name); }

  const std::string& path() const override { return zram_.path; }
  Number number() const override { return {zram_.major, zram_.minor}; }

  bool show() override {
    for (const uint64_t block : medium_.altered_blocks()) stale_.add(block);
    medium_.forget_altered();
    std::vector<uint64_t> blocks;
    for (const uint64_t block : stale_.list()) {
      // Much of what was changed for one state is the same again in the next one.
      if (held_[block] != digest_of(block)) blocks.push_back(block);
    }
    if (!blocks.empty()) write(blocks);
    stale_.clear();
    return !blocks.empty();
  }

  void written(uint64_t offset, uint64_t length) override {
    stale_.add_range(offset, length);
    // The kernel writes no less than a sector, and that is a block.
    for (uint64_t at = offset; at < offset + length; at += kBlock) held_.at(at / kBlock) = kUnknown;
  }

  void written_anywhere() override { written(0, held_.size() * kBlock); }

  std::optional<uint64_t> missed() override {
    if (const std::optional<uint64_t> missed = medium_.missed()) return missed;
    show();
    const Fd fd(check(open(path().c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC), "open " + path()));
    const uint64_t end = held_.size() * kBlock;
    for (uint64_t at = 0; at < end; at += kPiece) {
      const uint64_t length = std::min(kPiece, end - at);
      read_all(fd.get(), piece_.get(), length, at, "read " + path());
      for (uint64_t in = 0; in < length; in += kBlock) {
        if (std::memcmp(piece_.get() + in, medium_.content((at + in) / kBlock), kBlock) != 0)
          return (at + in) / kBlock;
      }
    }
    return std::nullopt;
  }

 private:
  static constexpr uint64_t kPiece = 1 << 20;

  uint64_t digest_of(uint64_t block) const {
    const uint64_t digest = XXH3_64bits(medium_.content(block), kBlock);
    return digest == kUnknown ? kUnknown + 1 : digest;
  }

  // Opened each time: who held it open would keep in memory what the kernel has read of it, and it would not
  // read that again.
  void write(std::vector<uint64_t>& blocks) {
    std::sort(blocks.begin(), blocks.end());
    const Fd fd(check(open(path().c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC), "open " + path()));
    // What is not wholly written is not known.
    for (const uint64_t block : blocks) held_[block] = kUnknown;
    for (size_t first = 0; first < blocks.size();) {
      size_t end = first;
      for (; end < blocks.size() && end - first < kPiece / kBlock; end++) {
        if (blocks[end] != blocks[first] + (end - first)) break;
        std::memcpy(piece_.get() + (end - first) * kBlock, medium_.content(blocks[end]), kBlock);
      }
      write_all_at(fd.get(), piece_.get(), (end - first) * kBlock, blocks[first] * kBlock, "write " + path());
      for (; first < end; first++) held_[blocks[first]] = digest_of(blocks[first]);
    }
  }

  struct Free {
    void operator()(char* memory) const { ::operator delete[](memory, std::align_val_t(kBlock)); }
  };

  Medium& medium_;
  Zram zram_;
  std::vector<uint64_t> held_;  // by block: digest of what it holds
  // Direct I/O needs it aligned.
  std::unique_ptr<char[], Free> piece_{new (std::align_val_t(kBlock)) char[kPiece]};
  BlockSet stale_;  // it and the medium may differ
};

}  // namespace

std::unique_ptr<ShownDisk> shown_by_zram(Medium& medium, const std::string& folder) {
  sweep_zrams();
  return std::make_unique<ShownByZram>(medium, folder);
}

}  // namespace plugpull::disk
