#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "native/fams/record.h"

namespace plugpull {

// Page 0 of a log, sector 0. Written once per use of the log, never changed.
struct LogHeader {
  std::uint64_t magic = 0;
  std::uint32_t version = 0;
  std::uint32_t page_size = 0;
  std::uint64_t identity = 0;
  std::uint64_t generation = 0;  // every use of either log has a number of its own, counting up
  std::uint64_t first = 0;       // sequence of the first record
  std::uint64_t base_size = 0;   // bytes of the heap before the first record
  std::uint64_t log_pages = 0;   // bound of the log
  std::uint64_t hash = 0;        // of what is before it
};

// What the records of a log do to the heap, as a whole.
struct LogContent {
  struct Page {
    std::uint32_t page;      // of the heap
    std::uint32_t position;  // of its newest version in the log, in pages
  };
  std::vector<Page> pages;  // in order of writing; a later one overrides an earlier one
  std::uint64_t size = 0;   // bytes of the heap after the last record
  std::uint64_t cut = 0;    // smallest size on the way: what lies beyond and is not in `pages` is zero

  void add(const RecordHeader& header);
  // Newest version of each page below `limit` bytes, ascending.
  std::vector<Page> newest(std::uint64_t limit) const;
};

// One of the two log files of `redo`.
class RedoLog {
 public:
  RedoLog(std::unique_ptr<File> file, std::uint64_t identity) : file_(std::move(file)), identity_(identity) {}

  // Reads header and mark.
  void load();
  bool valid() const { return valid_; }
  bool applied() const { return applied_; }
  const LogHeader& header() const { return header_; }
  File& file() { return *file_; }

  // Reads records while they are whole and consecutive. See read_record for what it throws.
  void read_records(const PlantedBugs& bugs);
  // A whole first record of this generation and sequence, whatever the header says.
  bool has_first_record(std::uint64_t generation, std::uint64_t sequence);

  // Sequence that the next record here must have.
  std::uint64_t next_sequence() const { return next_sequence_; }
  std::uint32_t end() const { return end_; }  // page at which it would be written
  bool empty() const { return end_ == 1; }
  bool has_room(std::size_t pages) const { return end_ + pages <= header_.log_pages; }
  const LogContent& content() const { return content_; }
  LogContent& content() { return content_; }

  // Real zeros up to the bound, so that later commits change no metadata. Not flushed.
  void fill_with_zeros(std::uint64_t log_pages);
  // Starts a new use of the log, in memory.
  void begin(const LogHeader& header);
  // Makes sure that nothing that a crash left behind can be taken for the next record.
  // append() does so by itself. Flushes where it had to write.
  void prepare();
  // Writes the header page as begun, with or without the mark `applied`. Not flushed.
  void write_header(bool applied);
  // Writes the record (and the header page before it, if it is the first), in one write.
  // Not flushed.
  void append(RecordWriter& writer, RecordHeader header, const PlantedBugs& bugs);
  // Writes sector 1: everything before `first` is durable in the backing file. Not flushed.
  void write_applied();
  void set_applied() { applied_ = true; }
  // Makes the first record unreadable. Nothing that is right does so.
  void erase();

 private:
  void encode_header(Bytes page, bool applied) const;

  std::unique_ptr<File> file_;
  std::uint64_t identity_;
  LogHeader header_;
  bool valid_ = false;
  bool applied_ = false;
  bool prepared_ = false;
  std::uint32_t end_ = 1;
  std::uint64_t next_sequence_ = 0;
  LogContent content_;
};

inline constexpr std::uint64_t kLeastLogPages = 32;
inline constexpr std::uint64_t kMostLogPages = (std::uint64_t{64} << 20U) / kPageSize;

}  // namespace plugpull
