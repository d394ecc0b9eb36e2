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
      changed_(mapped_ / kBlock) {
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
  buffer_.resize(record.length);
  trace.read(record, buffer_.data());
  if (mask.empty()) {
    std::memcpy(into + record.offset, buffer_.data(), record.length);
    return;
  }
  for (size_t i = 0; i < mask.size() && i * unit < record.length; i++) {
    if (!mask[i]) continue;
    const uint64_t length = std::min(unit, record.length - i * unit);
    std::memcpy(into + record.offset + i * unit, buffer_.data() + i * unit, length);
  }
}

void Medium::make_durable(const TraceReader& trace, const Record& record) {
  if (record.length == 0) return;
  const uint64_t last = (record.offset + record.length - 1) / kBlock;
  for (uint64_t block = record.offset / kBlock; block <= last; block++) {
    digest_ ^= digest_of(durable_, block);
    changed_.add(block);
  }
  apply(durable_, trace, record, {}, 0);
  for (uint64_t block = record.offset / kBlock; block <= last; block++) {
    digest_ ^= digest_of(durable_, block);
    dirty_.add(block);
  }
}

void Medium::put(const TraceReader& trace, const Record& record, const std::vector<bool>& mask,
                 uint64_t unit) {
  dirty_.add_range(record.offset, record.length);
  apply(device_, trace, record, mask, unit);
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

uint64_t Medium::digest() const {
  uint64_t digest = digest_;
  for (const uint64_t block : dirty_.list()) digest ^= digest_of(durable_, block) ^ digest_of(device_, block);
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
  undo();
}

}  // namespace plugpull::disk
