#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "native/planted/planted.h"
#include "native/storage/storage.h"

namespace plugpull {

// One commit in a log: a header with the table of its pages, then the pages.
//
//   sector 0   header, and the first 28 entries of the table
//   …          the rest of the table, up to a whole page
//   page 1 …   the pages, in the order of the table
//
// An entry is a page number and the XXH3-64 of that page; the header holds the XXH3-64 of
// the rest of the table, and one of sector 0 itself. So a reader stops at the first page
// that is not as it was written, and reads no further. All hashes are seeded with the
// heap's identity and the log's generation: a record of another heap or lap is no record.
struct RecordHeader {
  std::uint64_t magic = 0;
  std::uint64_t generation = 0;
  std::uint64_t sequence = 0;
  std::uint64_t size = 0;      // bytes of the heap as of this commit
  std::uint64_t cut = 0;       // bytes: its smallest size since the commit before; what lies beyond is zero
  std::uint32_t position = 0;  // in the log, in pages
  std::uint32_t count = 0;     // of pages
  std::uint64_t table_hash = 0;
  std::uint64_t hash = 0;  // of sector 0 with this field zero
};

struct RecordEntry {
  std::uint64_t page = 0;
  std::uint64_t hash = 0;
};

inline constexpr std::size_t kSector = 512;

// Pages that the header and table of a record with `count` pages take.
std::size_t header_pages(std::size_t count) noexcept;

// Builds a record in memory, ready for one sequential write. One page is kept free in
// front of it for the header of a log. The buffer is used again for the next record.
class RecordWriter {
 public:
  // Copies the pages. After this the heap may change.
  void capture(const std::vector<std::uint32_t>& pages, const std::byte* heap);
  // Computes all hashes. `header` needs generation, sequence, size, cut and position.
  void seal(RecordHeader header, std::uint64_t identity);

  std::size_t pages() const { return header_pages(count_) + count_; }  // of the record
  std::size_t count() const { return count_; }
  std::uint32_t page_number(std::size_t index) const { return numbers_[index]; }
  // Where captured page `index` lies, in pages from the start of the record.
  std::size_t page_position(std::size_t index) const { return header_pages(count_) + index; }
  ConstBytes page(std::size_t index) const;
  ConstBytes bytes() const;             // the record
  Bytes front();                        // the page before it
  ConstBytes bytes_with_front() const;  // both

 private:
  std::byte* record() const { return buffer_.get() + kPageSize; }

  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> buffer_;
  std::size_t room_ = 0;
  std::size_t count_ = 0;
  std::vector<std::uint32_t> numbers_;
};

// A record that was read and verified. `pages[i]` lies at page `position + first_page + i` of the log.
struct Record {
  RecordHeader header;
  std::vector<RecordEntry> entries;
  std::size_t first_page = 0;
  std::size_t pages = 0;  // it takes in the log
};

enum class RecordState { kWhole, kEnd };

// Reads the record that must stand at page `position` with this generation and sequence.
// kEnd: there is none, or it was torn, and nothing follows. FormatError kCorrupt where
// that cannot be: a damaged header, or a record behind a damaged one. `record` is
// used again from call to call so that its table is allocated once.
RecordState read_record(File& log, std::uint32_t position, std::uint64_t generation, std::uint64_t sequence,
                        std::uint64_t identity, const PlantedBugs& bugs, Record& record);

// Sequence of what looks like a record at page 0 of a journal, for read_record.
std::optional<std::uint64_t> peek_sequence(File& log);

// Is there, at this page, the start of a record of this generation or a later one? It may
// be the rest of a write that a crash cut short.
bool has_rest_of_record(File& log, std::uint32_t position, std::uint64_t generation);

}  // namespace plugpull
