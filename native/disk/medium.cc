#include "native/disk/medium.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "native/disk/image.h"
#include "native/disk/owner.h"

namespace plugpull::disk {

namespace {

constexpr char kZeros[kBlock] = {};

char* map(size_t length, int protection, int flags, int fd) {
  void* memory = mmap(nullptr, length, protection, flags, fd, 0);
  if (memory == MAP_FAILED) fail(errno, "map the image");
  return static_cast<char*>(memory);
}

// Of the content of a block.
uint64_t digest_of(const char* bytes, uint64_t block) {
  return XXH3_64bits_withSeed(bytes, kBlock, block + 1);
}

// Calls `found(block, from, to)` for each block of these bytes.
void for_each_block(const Range& range, const std::function<void(uint64_t, uint64_t, uint64_t)>& found) {
  for (uint64_t at = range.from; at < range.to;) {
    const uint64_t next = std::min(range.to, (at / kBlock + 1) * kBlock);
    found(at / kBlock, at, next);
    at = next;
  }
}

// What an operation writes from a place on; null: zeros.
const char* written(const TraceReader& trace, const Record& record, uint64_t from) {
  return record.kind == Kind::kWrite ? trace.data(record) + (from - record.offset) : nullptr;
}

}  // namespace

void BlockSet::add_range(uint64_t offset, uint64_t length) {
  if (length == 0) return;
  const uint64_t last = std::min((offset + length - 1) / kBlock, static_cast<uint64_t>(has_.size()) - 1);
  for (uint64_t block = offset / kBlock; block <= last; block++) add(block);
}

Medium::Medium(const std::string& base)
    : size_(file_size(base)),
      mapped_((size_ + kBlock - 1) / kBlock * kBlock),
      // The name shows in `losetup -a` whose it is.
      memfd_(check(memfd_create(owner_name().c_str(), MFD_CLOEXEC), "memfd")),
      dirty_(mapped_ / kBlock),
      changed_(mapped_ / kBlock),
      altered_(mapped_ / kBlock),
      base_digests_(mapped_ / kBlock, 0),
      durable_digests_(mapped_ / kBlock, 0) {
  const Fd image(check(open(base.c_str(), O_RDONLY | O_CLOEXEC), "open " + base));
  check(ftruncate(memfd_.get(), static_cast<off_t>(size_)), "size of the memfd");
  std::vector<char> data;
  for_each_data(image.get(), size_, [&](uint64_t offset, uint64_t length) {
    data.resize(length);
    read_all(image.get(), data.data(), length, offset, "read " + base);
    write_all_at(memfd_.get(), data.data(), length, offset, "fill the memfd");
    base_data_.push_back({offset, offset + length});
    altered_.add_range(offset, length);
  });
  base_ = map(mapped_, PROT_READ, MAP_PRIVATE, image.get());
  device_ = map(mapped_, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_.get());
  durable_.reserve(blocks());
  for (uint64_t block = 0; block < blocks(); block++) durable_.push_back(base_ + block * kBlock);
}

Medium::~Medium() {
  munmap(const_cast<char*>(base_), mapped_);
  munmap(device_, mapped_);
}

void Medium::change(uint64_t block, uint64_t from, uint64_t to, const char* data) {
  if (to - from == kBlock) {
    durable_[block] = data == nullptr ? kZeros : data;
    own_.erase(block);
    return;
  }
  std::unique_ptr<char[]>& own = own_[block];
  if (own == nullptr) {
    own = std::make_unique_for_overwrite<char[]>(kBlock);
    std::memcpy(own.get(), durable_[block], kBlock);
    durable_[block] = own.get();
  }
  std::memcpy(own.get() + from % kBlock, data == nullptr ? kZeros : data, to - from);
}

uint64_t Medium::base_digest(uint64_t block) const {
  if (base_digests_[block] == 0) base_digests_[block] = digest_of(base_ + block * kBlock, block);
  return base_digests_[block];
}

uint64_t Medium::durable_digest(uint64_t block) const {
  if (!changed_.has(block)) return base_digest(block);
  if (durable_digests_[block] == 0) durable_digests_[block] = digest_of(durable_[block], block);
  return durable_digests_[block];
}

void Medium::make_durable(const TraceReader& trace, const Record& record, const Ranges& hidden) {
  if (record.length == 0) return;
  const uint64_t first = record.offset / kBlock;
  const uint64_t last = (record.offset + record.length - 1) / kBlock;
  std::vector<uint64_t> before;
  before.reserve(last - first + 1);
  for (uint64_t block = first; block <= last; block++) before.push_back(durable_digest(block));
  for (const Range& part : parts_of(record, {}, 0, hidden)) {
    for_each_block(part, [&](uint64_t block, uint64_t from, uint64_t to) {
      change(block, from, to, written(trace, record, from));
    });
  }
  for (uint64_t block = first; block <= last; block++) {
    changed_.add(block);
    dirty_.add(block);
    durable_digests_[block] = 0;
    const uint64_t change = before[block - first] ^ durable_digest(block);
    digest_ ^= change;
    if (change != 0) on_durable(block, change);
  }
}

void Medium::put(const TraceReader& trace, const Record& record, const std::vector<bool>& mask, uint64_t unit,
                 const Ranges& hidden) {
  dirty_.add_range(record.offset, record.length);
  altered_.add_range(record.offset, record.length);
  for (const auto& [from, to] : parts_of(record, mask, unit, hidden)) {
    if (const char* data = written(trace, record, from); data != nullptr) {
      std::memcpy(device_ + from, data, to - from);
    } else {
      std::memset(device_ + from, 0, to - from);
    }
  }
}

bool Medium::would_change(const TraceReader& trace, const Record& record, const std::vector<bool>& blocks,
                          const Ranges& hidden) const {
  bool changes = false;
  for (const Range& part : parts_of(record, {}, 0, hidden)) {
    for_each_block(part, [&](uint64_t block, uint64_t from, uint64_t to) {
      if (changes || !blocks[block]) return;
      const char* data = written(trace, record, from);
      changes = std::memcmp(device_ + from, data == nullptr ? kZeros : data, to - from) != 0;
    });
  }
  return changes;
}

void Medium::compare(const std::function<void(uint64_t)>& differs) const {
  const auto blocks = [&](uint64_t from, uint64_t to) {
    for (uint64_t at = from / kBlock * kBlock; at < to; at += kBlock) {
      if (std::memcmp(device_ + at, durable_[at / kBlock], kBlock) != 0) differs(at / kBlock);
    }
  };
  // Where both device and base are holes there is nothing to compare, unless it was changed since.
  const auto hole = [&](uint64_t from, uint64_t to) {
    auto base = std::upper_bound(base_data_.begin(), base_data_.end(), from,
                                 [](uint64_t at, const Range& range) { return at < range.to; });
    for (; base != base_data_.end() && base->from < to; base++)
      blocks(std::max(base->from, from), std::min(base->to, to));
  };
  uint64_t end = 0;
  for_each_data(memfd_.get(), size_, [&](uint64_t offset, uint64_t length) {
    hole(end, offset);
    blocks(offset, offset + length);
    end = offset + length;
  });
  hole(end, size_);
  for (const uint64_t block : changed_.list()) blocks(block * kBlock, (block + 1) * kBlock);
}

void Medium::find_changes() {
  compare([&](uint64_t block) { dirty_.add(block); });
}

std::optional<uint64_t> Medium::missed() const {
  std::optional<uint64_t> missed;
  compare([&](uint64_t block) { missed = missed.value_or(block); });
  return missed;
}

uint64_t Medium::put_difference(uint64_t block) const {
  if (!dirty_.has(block)) return 0;
  return durable_digest(block) ^ digest_of(device_ + block * kBlock, block);
}

uint64_t Medium::durable_difference(uint64_t block) const {
  return changed_.has(block) ? base_digest(block) ^ durable_digest(block) : 0;
}

uint64_t Medium::digest() const {
  uint64_t digest = digest_;
  for (const uint64_t block : dirty_.list()) digest ^= put_difference(block);
  return digest;
}

void Medium::undo() {
  for (const uint64_t block : dirty_.list()) {
    std::memcpy(device_ + block * kBlock, durable_[block], kBlock);
    altered_.add(block);
  }
  dirty_.clear();
}

void Medium::rewind() {
  for (const uint64_t block : changed_.list()) {
    durable_[block] = base_ + block * kBlock;
    dirty_.add(block);
  }
  own_.clear();
  changed_.clear();
  digest_ = 0;
  on_rewind();
  undo();
}

}  // namespace plugpull::disk
