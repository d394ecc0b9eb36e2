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

namespace plugpull::disk {

namespace {

char* map(size_t length, int flags, int fd) {
  void* memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) fail(errno, "map the image");
  return static_cast<char*>(memory);
}

uint64_t digest_of(const char* bytes, uint64_t block) {
  return XXH3_64bits_withSeed(bytes + block * kBlock, kBlock, block + 1);
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
      memfd_(
          check(memfd_create(("plugpull-disk-" + std::to_string(getpid())).c_str(), MFD_CLOEXEC), "memfd")),
      dirty_(mapped_ / kBlock),
      changed_(mapped_ / kBlock),
      base_digests_(mapped_ / kBlock, 0),
      durable_digests_(mapped_ / kBlock, 0) {
  const Fd image(check(open(base.c_str(), O_RDONLY | O_CLOEXEC), "open " + base));
  check(ftruncate(memfd_.get(), static_cast<off_t>(size_)), "size of the memfd");
  for_each_data(image.get(), size_, [&](uint64_t offset, uint64_t length) {
    buffer_.resize(length);
    read_all(image.get(), buffer_.data(), length, offset, "read " + base);
    write_all_at(memfd_.get(), buffer_.data(), length, offset, "fill the memfd");
  });
  durable_ = map(mapped_, MAP_PRIVATE, image.get());
  device_ = map(mapped_, MAP_SHARED, memfd_.get());
}

Medium::~Medium() {
  munmap(durable_, mapped_);
  munmap(device_, mapped_);
}

void Medium::apply(char* into, const TraceReader& trace, const Record& record, const std::vector<bool>& mask,
                   uint64_t unit) {
  if (record.kind != Kind::kWrite) {
    std::memset(into + record.offset, 0, record.length);
    return;
  }
  const char* data = trace.data(record);
  if (mask.empty()) {
    std::memcpy(into + record.offset, data, record.length);
    return;
  }
  for (size_t i = 0; i < mask.size() && i * unit < record.length; i++) {
    if (!mask[i]) continue;
    const uint64_t length = std::min(unit, record.length - i * unit);
    std::memcpy(into + record.offset + i * unit, data + i * unit, length);
  }
}

uint64_t Medium::base_digest(uint64_t block) const {
  // Where it has changed it was noted before.
  if (base_digests_[block] == 0) base_digests_[block] = digest_of(durable_, block);
  return base_digests_[block];
}

uint64_t Medium::durable_digest(uint64_t block) const {
  if (!changed_.has(block)) return base_digest(block);
  if (durable_digests_[block] == 0) durable_digests_[block] = digest_of(durable_, block);
  return durable_digests_[block];
}

void Medium::make_durable(const TraceReader& trace, const Record& record) {
  if (record.length == 0) return;
  const uint64_t first = record.offset / kBlock;
  const uint64_t last = (record.offset + record.length - 1) / kBlock;
  std::vector<uint64_t> before;
  before.reserve(last - first + 1);
  for (uint64_t block = first; block <= last; block++) {
    base_digest(block);
    before.push_back(durable_digest(block));
  }
  apply(durable_, trace, record, {}, 0);
  for (uint64_t block = first; block <= last; block++) {
    changed_.add(block);
    dirty_.add(block);
    durable_digests_[block] = 0;
    const uint64_t change = before[block - first] ^ durable_digest(block);
    digest_ ^= change;
    if (change != 0) on_durable(block, change);
  }
}

void Medium::put(const TraceReader& trace, const Record& record, const std::vector<bool>& mask,
                 uint64_t unit) {
  dirty_.add_range(record.offset, record.length);
  apply(device_, trace, record, mask, unit);
}

bool Medium::would_change(const TraceReader& trace, const Record& record,
                          const std::vector<bool>& blocks) const {
  static constexpr char kZeros[kBlock] = {};
  const uint64_t end = record.offset + record.length;
  for (uint64_t at = record.offset; at < end;) {
    const uint64_t next = std::min(end, (at / kBlock + 1) * kBlock);
    const char* wanted = record.kind == Kind::kWrite ? trace.data(record) + (at - record.offset) : kZeros;
    if (blocks[at / kBlock] && std::memcmp(device_ + at, wanted, next - at) != 0) return true;
    at = next;
  }
  return false;
}

void Medium::find_changes() {
  // Holes of the device are zeros; where the base has data the device had them from the start.
  for_each_data(memfd_.get(), size_, [&](uint64_t offset, uint64_t length) {
    for (uint64_t at = offset / kBlock * kBlock; at < offset + length; at += kBlock) {
      if (std::memcmp(device_ + at, durable_ + at, kBlock) != 0) dirty_.add(at / kBlock);
    }
  });
  for (const uint64_t block : changed_.list()) dirty_.add(block);
}

uint64_t Medium::put_difference(uint64_t block) const {
  if (!dirty_.has(block)) return 0;
  return durable_digest(block) ^ digest_of(device_, block);
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
    std::memcpy(device_ + block * kBlock, durable_ + block * kBlock, kBlock);
  }
  dirty_.clear();
}

void Medium::rewind() {
  // Dropped pages come back from the base.
  for (const uint64_t block : changed_.list()) {
    check(madvise(durable_ + block * kBlock, kBlock, MADV_DONTNEED), "drop changes");
    dirty_.add(block);
  }
  changed_.clear();
  digest_ = 0;
  on_rewind();
  undo();
}

}  // namespace plugpull::disk
