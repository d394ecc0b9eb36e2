#include "native/fams/redo_log.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "native/fams/hash.h"
#include "native/fams/step.h"
#include "native/storage/io.h"

namespace plugpull {
namespace {

constexpr std::uint64_t kMagic = magic("ppredlog");
constexpr std::uint64_t kMarkMagic = magic("ppapplid");
constexpr std::uint32_t kVersion = 1;

struct Mark {
  std::uint64_t magic;
  std::uint64_t generation;
  std::uint64_t hash;
};

std::uint64_t hash_of(const LogHeader& header) {
  return hash64(ConstBytes(reinterpret_cast<const std::byte*>(&header), offsetof(LogHeader, hash)),
                header.identity);
}

Mark mark_of(const LogHeader& header) {
  Mark mark{kMarkMagic, header.generation, 0};
  mark.hash =
      hash64(ConstBytes(reinterpret_cast<const std::byte*>(&mark), offsetof(Mark, hash)), header.identity);
  return mark;
}

}  // namespace

void LogContent::add(const RecordHeader& header) {
  cut = std::min(cut, header.cut);
  if (header.cut < size) {
    std::erase_if(pages,
                  [&](const Page& page) { return std::uint64_t{page.page} * kPageSize >= header.cut; });
  }
  size = header.size;
}

std::vector<LogContent::Page> LogContent::newest(std::uint64_t limit) const {
  std::vector<Page> sorted = pages;
  std::erase_if(sorted, [limit](const Page& page) { return std::uint64_t{page.page} * kPageSize >= limit; });
  std::sort(sorted.begin(), sorted.end(), [](const Page& a, const Page& b) {
    return a.page != b.page ? a.page < b.page : a.position > b.position;
  });
  const auto same = [](const Page& a, const Page& b) { return a.page == b.page; };
  sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  return sorted;
}

void RedoLog::load() {
  std::array<std::byte, 2 * kSector> start{};
  if (read_all(*file_, start, 0) != start.size()) return;
  std::memcpy(&header_, start.data(), sizeof header_);
  valid_ = header_.magic == kMagic && header_.version == kVersion && header_.page_size == kPageSize &&
           header_.identity == identity_ && header_.hash == hash_of(header_);
  if (!valid_) return;
  begin(header_);
  Mark mark{};
  std::memcpy(&mark, start.data() + kSector, sizeof mark);
  const Mark expected = mark_of(header_);
  applied_ =
      mark.magic == expected.magic && mark.generation == expected.generation && mark.hash == expected.hash;
}

void RedoLog::begin(const LogHeader& header) {
  header_ = header;
  header_.magic = kMagic;
  header_.version = kVersion;
  header_.page_size = kPageSize;
  header_.identity = identity_;
  header_.hash = hash_of(header_);
  applied_ = false;
  end_ = 1;
  next_sequence_ = header.first;
  content_ = LogContent{{}, header.base_size, header.base_size};
}

void RedoLog::read_records(const PlantedBugs& bugs) {
  Record record;
  while (read_record(*file_, end_, header_.generation, next_sequence_, identity_, bugs, record) ==
         RecordState::kWhole) {
    content_.add(record.header);
    for (std::size_t i = 0; i < record.entries.size(); ++i) {
      content_.pages.push_back({static_cast<std::uint32_t>(record.entries[i].page),
                                static_cast<std::uint32_t>(end_ + record.first_page + i)});
    }
    end_ += static_cast<std::uint32_t>(record.pages);
    ++next_sequence_;
  }
}

bool RedoLog::has_first_record(std::uint64_t generation, std::uint64_t sequence) {
  Record record;
  return read_record(*file_, 1, generation, sequence, identity_, {}, record) == RecordState::kWhole;
}

void RedoLog::fill_with_zeros(std::uint64_t log_pages) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20U;
  const std::uint64_t bytes = log_pages * kPageSize;
  const std::vector<std::byte> zeros(std::min(kPiece, bytes));
  for (std::uint64_t at = 0; at < bytes; at += zeros.size()) {
    write_all(*file_, ConstBytes(zeros).first(std::min<std::uint64_t>(zeros.size(), bytes - at)), at);
  }
}

void RedoLog::encode_header(Bytes page, bool applied) const {
  std::memset(page.data(), 0, page.size());
  std::memcpy(page.data(), &header_, sizeof header_);
  if (!applied) return;
  const Mark mark = mark_of(header_);
  std::memcpy(page.data() + kSector, &mark, sizeof mark);
}

void RedoLog::write_header(bool applied) {
  std::array<std::byte, kPageSize> page;
  encode_header(page, applied);
  write_all(*file_, page, 0);
}

// After a crash the place of the next record may hold the header of one that was never
// whole. If that header stayed while parts of its pages were written again with what they
// held then, a commit that recovery had discarded would come back to life.
void RedoLog::prepare() {
  if (prepared_) return;
  prepared_ = true;  // no later record of this session is ever left behind
  if (!has_rest_of_record(*file_, end_, header_.generation)) return;
  const std::array<std::byte, kSector> zeros{};
  write_all(*file_, zeros, std::uint64_t{end_} * kPageSize);
  file_->datasync();
}

void RedoLog::append(RecordWriter& writer, RecordHeader header, const PlantedBugs& bugs) {
  prepare();
  header.generation = header_.generation;
  header.position = end_;
  writer.seal(header, identity_);
  if (empty()) encode_header(writer.front(), applied_);
  const ConstBytes bytes = empty() ? writer.bytes_with_front() : writer.bytes();
  const std::uint64_t offset = empty() ? 0 : std::uint64_t{end_} * kPageSize;
  if (bugs.has(Bug::kRedoShortWriteIgnored)) {
    file_->pwrite(bytes, offset);
  } else if (bugs.has(Bug::kRedoRecordUnchecked)) {
    const std::size_t pages = bytes.size() - writer.count() * kPageSize;
    write_all(*file_, bytes.first(pages), offset);
    step("redo.commit.log-written");
    write_all(*file_, bytes.subspan(pages), offset + pages);
  } else {
    write_all(*file_, bytes, offset);
  }
  content_.add(header);
  for (std::size_t i = 0; i < writer.count(); ++i) {
    content_.pages.push_back(
        {writer.page_number(i), static_cast<std::uint32_t>(end_ + writer.page_position(i))});
  }
  end_ += static_cast<std::uint32_t>(writer.pages());
  ++next_sequence_;
}

void RedoLog::write_applied() {
  std::array<std::byte, kSector> sector{};
  const Mark mark = mark_of(header_);
  std::memcpy(sector.data(), &mark, sizeof mark);
  write_all(*file_, sector, kSector);
}

void RedoLog::erase() {
  const std::array<std::byte, kSector> zeros{};
  write_all(*file_, zeros, kPageSize);
}

}  // namespace plugpull
