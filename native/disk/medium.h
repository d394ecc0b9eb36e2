// The disk on which crash states are shown: a memfd, to be attached as a loop device, and beside it what is
// durable, to which it goes back after each state.
#ifndef PLUGPULL_NATIVE_DISK_MEDIUM_H_
#define PLUGPULL_NATIVE_DISK_MEDIUM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "native/disk/files.h"
#include "native/disk/parts.h"
#include "native/disk/trace.h"

namespace plugpull::disk {

// A set of 4 KiB blocks: bitmap and list.
class BlockSet {
 public:
  explicit BlockSet(uint64_t blocks) : has_(blocks, false) {}
  void add(uint64_t block) {
    if (block >= has_.size() || has_[block]) return;
    has_[block] = true;
    list_.push_back(block);
  }
  void add_range(uint64_t offset, uint64_t length);
  void clear() {
    for (const uint64_t block : list_) has_[block] = false;
    list_.clear();
  }
  const std::vector<uint64_t>& list() const { return list_; }
  bool has(uint64_t block) const { return has_[block]; }

 private:
  std::vector<bool> has_;
  std::vector<uint64_t> list_;
};

constexpr uint64_t kBlock = 4096;

class Medium {
 public:
  // `base`: the image before the recording, which is never changed. What is durable takes memory only where a
  // write has changed a part of a block; the rest lies in the files of base and trace. So traces that are
  // made durable must outlive this. Throws std::system_error.
  explicit Medium(const std::string& base);
  ~Medium();
  Medium(const Medium&) = delete;
  Medium& operator=(const Medium&) = delete;

  uint64_t size() const { return size_; }
  int fd() const { return memfd_.get(); }
  const char* bytes() const { return device_; }
  // What the device holds in a block. Unlike reading its bytes, asking for what it has a hole for takes no
  // memory.
  const char* content(uint64_t block) const {
    return dirty_.has(block) ? device_ + block * kBlock : durable_[block];
  }

  // Makes a write, discard or zeroing durable. `hidden`, here and below: see parts_of().
  void make_durable(const TraceReader& trace, const Record& record, const Ranges& hidden = {});
  // Puts (a part of) it on the device only. `mask` and `unit`: see parts_of().
  void put(const TraceReader& trace, const Record& record, const std::vector<bool>& mask, uint64_t unit,
           const Ranges& hidden = {});
  // Would (a whole) write, discard or zeroing change what the device holds in these blocks?
  bool would_change(const TraceReader& trace, const Record& record, const std::vector<bool>& blocks,
                    const Ranges& hidden = {}) const;
  // Somebody else has changed this part of the device.
  void touched(uint64_t offset, uint64_t length) { dirty_.add_range(offset, length); }
  // Blocks of the device that may have changed since they were last forgotten: for who keeps a copy of it.
  const std::vector<uint64_t>& altered_blocks() const { return altered_.list(); }
  void forget_altered() { altered_.clear(); }
  // Somebody else may have changed any part of it.
  void find_changes();
  // After undo(): does the whole device hold what is durable? Else the number of a block that does not.
  std::optional<uint64_t> missed() const;
  // Of the whole content of the device. Equal contents have equal digests, whatever led to them.
  uint64_t digest() const;
  uint64_t blocks() const { return mapped_ / kBlock; }
  // By how much a block of the device differs from what is durable, as a part of the digest: 0 if not at all.
  // Parts are joined by XOR; the digest of some of the blocks, relative to the base, is that of their parts.
  uint64_t put_difference(uint64_t block) const;
  // The same between what is durable and the base.
  uint64_t durable_difference(uint64_t block) const;
  // Blocks of the device that may differ from what is durable; blocks of that which may differ from the base.
  const std::vector<uint64_t>& put_blocks() const { return dirty_.list(); }
  const std::vector<uint64_t>& durable_blocks() const { return changed_.list(); }
  // Told of every change of durable_difference(): block, XOR of old and new; and of going back to the base.
  std::function<void(uint64_t, uint64_t)> on_durable = [](uint64_t, uint64_t) {};
  std::function<void()> on_rewind = [] {};
  // Puts the device back to what is durable.
  void undo();
  // Puts it all back to the base.
  void rewind();

 private:
  // Changes what is durable in one block: bytes [from, to) of the device. `data` null: to zeros.
  void change(uint64_t block, uint64_t from, uint64_t to, const char* data);
  // Gives all blocks in which the device differs from what is durable.
  void compare(const std::function<void(uint64_t)>& differs) const;
  uint64_t base_digest(uint64_t block) const;
  uint64_t durable_digest(uint64_t block) const;

  uint64_t size_;
  uint64_t mapped_;
  Fd memfd_;
  Ranges base_data_;  // where the base is no hole, ascending
  const char* base_ = nullptr;
  std::vector<const char*> durable_;                           // by block: where its content lies
  std::unordered_map<uint64_t, std::unique_ptr<char[]>> own_;  // content that lies in no file
  char* device_ = nullptr;
  BlockSet dirty_;       // device and durable may differ
  BlockSet changed_;     // durable and base may differ
  BlockSet altered_;     // the device may have changed
  uint64_t digest_ = 0;  // of what is durable, relative to the base
  // By block; 0: not known yet.
  mutable std::vector<uint64_t> base_digests_;
  mutable std::vector<uint64_t> durable_digests_;  // of those that changed
};

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_MEDIUM_H_
