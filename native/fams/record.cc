#include "native/fams/record.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <new>

#include "native/fams/hash.h"
#include "native/storage/error.h"
#include "native/storage/io.h"

namespace plugpull {
namespace {

constexpr std::uint64_t kMagic = magic("pprecord");
constexpr std::size_t kFirstEntries = (kSector - sizeof(RecordHeader)) / sizeof(RecordEntry);
using Sector = std::array<std::byte, kSector>;

std::uint64_t seed_of(std::uint64_t identity, std::uint64_t generation) {
  return mix_seeds(identity, generation);
}

std::uint64_t hash_of_sector(Sector sector, std::uint64_t seed) {
  std::memset(sector.data() + offsetof(RecordHeader, hash), 0, sizeof(RecordHeader::hash));
  return hash64(sector, seed);
}

std::size_t table_bytes(std::size_t count) { return sizeof(RecordHeader) + count * sizeof(RecordEntry); }

struct FirstSector {
  RecordHeader header;
  Sector bytes{};
  bool whole = false;
  bool damaged = false;  // it is the expected header, but its hash is wrong
};

FirstSector read_first_sector(File& log, std::uint32_t position, std::uint64_t generation,
                              std::uint64_t sequence, std::uint64_t identity) {
  FirstSector sector;
  if (read_all(log, sector.bytes, std::uint64_t{position} * kPageSize) != kSector) return sector;
  std::memcpy(&sector.header, sector.bytes.data(), sizeof sector.header);
  const RecordHeader& header = sector.header;
  const int alike =
      (header.magic == kMagic) + (header.generation == generation) + (header.sequence == sequence);
  if (alike < 2) return sector;
  // A sector is written whole or not at all: two fields as expected and a hash that is
  // not can be no torn write.
  sector.damaged = header.hash != hash_of_sector(sector.bytes, seed_of(identity, generation));
  sector.whole = !sector.damaged && alike == 3 && header.position == position;
  return sector;
}

[[noreturn]] void throw_damaged(const File& log, std::uint32_t position, const std::string& what) {
  throw FormatError(FormatError::Kind::kCorrupt, log.path(),
                    "log record at page " + std::to_string(position) + ": " + what);
}

bool read_table(File& log, const FirstSector& sector, std::uint64_t seed, std::vector<RecordEntry>& entries) {
  const std::size_t count = sector.header.count;
  entries.resize(count);
  if (count == 0) return true;  // a commit without changes
  const std::size_t first = std::min(count, kFirstEntries);
  std::memcpy(entries.data(), sector.bytes.data() + sizeof(RecordHeader), first * sizeof(RecordEntry));
  if (first == count) return true;
  const Bytes rest(reinterpret_cast<std::byte*>(entries.data() + first),
                   (count - first) * sizeof(RecordEntry));
  const std::uint64_t offset = std::uint64_t{sector.header.position} * kPageSize + kSector;
  return read_all(log, rest, offset) == rest.size() && hash64(rest, seed) == sector.header.table_hash;
}

bool pages_are_whole(File& log, std::uint64_t offset, std::uint64_t seed,
                     std::span<const RecordEntry> entries) {
  std::array<std::byte, kPageSize> page;
  for (const RecordEntry& entry : entries) {
    if (read_all(log, page, offset) != kPageSize || hash64(page, seed) != entry.hash) return false;
    offset += kPageSize;
  }
  return true;
}

// The entries whose pages are verified: all of them.
std::span<const RecordEntry> verified(const std::vector<RecordEntry>& entries, const PlantedBugs& bugs) {
  const std::span<const RecordEntry> all = entries;
  if (bugs.has(Bug::kRedoRecordUnchecked) || bugs.has(Bug::kJournalTornAccepted)) return {};
  if (bugs.has(Bug::kRedoFirstPageChecked)) return all.first(std::min<std::size_t>(all.size(), 1));
  return all;
}

// Planted: takes the generation and sequence to expect from what is there.
void expect_what_is_there(File& log, std::uint32_t position, std::uint64_t& generation,
                          std::uint64_t& sequence) {
  RecordHeader header;
  const Bytes out(reinterpret_cast<std::byte*>(&header), sizeof header);
  if (read_all(log, out, std::uint64_t{position} * kPageSize) != out.size() || header.magic != kMagic) return;
  generation = header.generation;
  sequence = header.sequence;
}

bool is_sensible(const Record& record) {
  const RecordHeader& header = record.header;
  if (header.size % kPageSize != 0 || header.cut % kPageSize != 0 || header.cut > header.size) return false;
  std::uint64_t least = 0;
  for (const RecordEntry& entry : record.entries) {
    if (entry.page < least || entry.page >= header.size / kPageSize) return false;
    least = entry.page + 1;
  }
  return true;
}

}  // namespace

static_assert(sizeof(RecordHeader) == 64 && sizeof(RecordEntry) == 16);

std::size_t header_pages(std::size_t count) noexcept {
  return (table_bytes(count) + kPageSize - 1) / kPageSize;
}

void RecordWriter::capture(const std::vector<std::uint32_t>& pages, const std::byte* heap) {
  constexpr std::size_t kKept = std::size_t{64} << 20U;
  const std::size_t needed = (1 + header_pages(pages.size()) + pages.size()) * kPageSize;
  if (needed > room_ || room_ > std::max(kKept, needed)) {
    buffer_.reset();
    room_ = needed + needed / 2 / kPageSize * kPageSize;
    buffer_.reset(static_cast<std::byte*>(std::aligned_alloc(kPageSize, room_)));
    if (!buffer_) {
      room_ = 0;
      throw std::bad_alloc();
    }
  }
  count_ = pages.size();
  numbers_ = pages;
  std::byte* out = record() + header_pages(count_) * kPageSize;
  for (std::size_t i = 0; i < count_;) {
    std::size_t end = i + 1;
    while (end < count_ && pages[end] == pages[end - 1] + 1) ++end;
    std::memcpy(out, heap + std::size_t{pages[i]} * kPageSize, (end - i) * kPageSize);
    out += (end - i) * kPageSize;
    i = end;
  }
}

void RecordWriter::seal(RecordHeader header, std::uint64_t identity) {
  const std::uint64_t seed = seed_of(identity, header.generation);
  std::byte* const start = record();
  std::byte* const table = start + sizeof header;
  for (std::size_t i = 0; i < count_; ++i) {
    const RecordEntry entry{numbers_[i], hash64(page(i), seed)};
    std::memcpy(table + i * sizeof entry, &entry, sizeof entry);
  }
  std::memset(start + table_bytes(count_), 0, header_pages(count_) * kPageSize - table_bytes(count_));
  header.magic = kMagic;
  header.count = static_cast<std::uint32_t>(count_);
  header.hash = 0;
  header.table_hash = 0;
  if (count_ > kFirstEntries) {
    header.table_hash =
        hash64(ConstBytes(start + kSector, (count_ - kFirstEntries) * sizeof(RecordEntry)), seed);
  }
  std::memcpy(start, &header, sizeof header);
  header.hash = hash64(ConstBytes(start, kSector), seed);
  std::memcpy(start, &header, sizeof header);
}

ConstBytes RecordWriter::page(std::size_t index) const {
  return {record() + page_position(index) * kPageSize, kPageSize};
}

ConstBytes RecordWriter::bytes() const { return {record(), pages() * kPageSize}; }

Bytes RecordWriter::front() { return {buffer_.get(), kPageSize}; }

ConstBytes RecordWriter::bytes_with_front() const { return {buffer_.get(), (1 + pages()) * kPageSize}; }

RecordState read_record(File& log, std::uint32_t position, std::uint64_t generation, std::uint64_t sequence,
                        std::uint64_t identity, const PlantedBugs& bugs, Record& record) {
  if (bugs.has(Bug::kRedoStaleRecordAccepted)) expect_what_is_there(log, position, generation, sequence);
  const FirstSector sector = read_first_sector(log, position, generation, sequence, identity);
  if (sector.damaged) throw_damaged(log, position, "its header is damaged");
  if (!sector.whole) return RecordState::kEnd;
  const std::uint64_t seed = seed_of(identity, generation);
  record.header = sector.header;
  record.first_page = header_pages(sector.header.count);
  record.pages = record.first_page + sector.header.count;
  const std::uint64_t pages_at = (std::uint64_t{position} + record.first_page) * kPageSize;
  if (!read_table(log, sector, seed, record.entries) ||
      !pages_are_whole(log, pages_at, seed, verified(record.entries, bugs))) {
    // A torn write is the last one. What comes after it cannot have been written yet.
    const auto next = static_cast<std::uint32_t>(position + record.pages);
    const FirstSector after = read_first_sector(log, next, generation, sequence + 1, identity);
    if (after.whole || after.damaged) throw_damaged(log, position, "damaged, and another record follows it");
    return RecordState::kEnd;
  }
  if (!is_sensible(record)) throw_damaged(log, position, "it names pages that the heap does not have");
  return RecordState::kWhole;
}

std::optional<std::uint64_t> peek_sequence(File& log) {
  RecordHeader header;
  const Bytes out(reinterpret_cast<std::byte*>(&header), sizeof header);
  if (read_all(log, out, 0) != out.size() || header.magic != kMagic) return std::nullopt;
  return header.sequence;
}

bool has_rest_of_record(File& log, std::uint32_t position, std::uint64_t generation) {
  std::array<std::uint64_t, 2> start{};  // magic, generation
  static_assert(offsetof(RecordHeader, generation) == sizeof(std::uint64_t));
  const Bytes out(reinterpret_cast<std::byte*>(start.data()), sizeof start);
  const std::size_t got = read_all(log, out, std::uint64_t{position} * kPageSize);
  return got == out.size() && start[0] == kMagic && start[1] >= generation;
}

}  // namespace plugpull
