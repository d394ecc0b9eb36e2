#include "native/fams/journal.h"

#include <array>
#include <cerrno>
#include <optional>

#include "native/fams/creation.h"
#include "native/fams/footer.h"
#include "native/fams/mapped_heap.h"
#include "native/fams/record.h"
#include "native/fams/step.h"
#include "native/storage/error.h"
#include "native/storage/io.h"

namespace plugpull {
namespace {

constexpr std::array<std::string_view, 17> kSteps = {
    "journal.create.written",       "journal.create.entries-synced",  "journal.create.named",
    "journal.create.name-synced",   "journal.commit.captured",        "journal.commit.record-written",
    "journal.commit.record-synced", "journal.commit.page-written",    "journal.commit.footer-written",
    "journal.commit.heap-synced",   "journal.commit.reset",           "journal.recover.record-synced",
    "journal.recover.page-written", "journal.recover.footer-written", "journal.recover.heap-synced",
    "journal.recover.reset",        "journal.recover.mapped"};

std::string journal_name(const std::string& path) { return path + ".journal"; }

// One record at the start of the journal. Its generation is its sequence.
class Journal final : public MappedHeap {
 public:
  using MappedHeap::MappedHeap;

  void create() {
    check_creation(storage_, options_);
    journal_ = storage_.open(journal_name(options_.path), {.create = true, .truncate = true});
    file_ = open_temporary(storage_, options_.path);
    file_->truncate(options_.size + kPageSize);
    write_footer(*file_, {0, options_.size}, options_.identity);
    journal_->sync();
    file_->sync();
    step("journal.create.written");
    storage_.sync_directory(directory_of(options_.path));
    step("journal.create.entries-synced");
    storage_.rename(temporary_name(options_.path), options_.path);
    step("journal.create.named");
    if (!has(Bug::kJournalDirectoryNotSynced)) sync_directory_chain(storage_, directory_of(options_.path));
    step("journal.create.name-synced");
    attach(options_.size, 0);
  }

  void open() {
    file_ = open_heap_file(storage_, options_.path, true);
    open_journal();
    storage_.sync_directory(directory_of(options_.path));
    if (const auto sequence = peek_sequence(*journal_)) {
      Record record;
      const RecordState state =
          read_record(*journal_, 0, *sequence, *sequence, options_.identity, options_.planted, record);
      if (state == RecordState::kWhole) recover(record);
    }
    const auto footer = read_footer(*file_, options_.identity);
    if (!footer) throw_no_footer(*file_);
    attach(footer->size, footer->sequence);
    step("journal.recover.mapped");
  }

  void close() override {
    MappedHeap::close();
    journal_.reset();
    file_.reset();
  }

 protected:
  void write_commit(Captured& captured) override {
    const Change change = capture();
    writer_.capture(change.pages, base_);
    captured();
    if (has(Bug::kJournalResizedFirst)) follow_size(change.size, change.cut);
    step("journal.commit.captured");
    wipe_rest_of_record();
    const std::uint64_t next = sequence_ + 1;
    writer_.seal({.generation = next, .sequence = next, .size = change.size, .cut = change.cut},
                 options_.identity);
    if (has(Bug::kJournalInPlaceFirst)) write_in_place(change);
    write_all(*journal_, writer_.bytes(), 0);
    step("journal.commit.record-written");
    if (!has(Bug::kJournalRecordNotSynced)) journal_->datasync();
    step("journal.commit.record-synced");
    if (has(Bug::kJournalResetFirst)) reset();
    write_in_place(change);
    if (!has(Bug::kJournalHeapNotSynced)) file_->datasync();
    step("journal.commit.heap-synced");
    reset();
    step("journal.commit.reset");
    committed(change, change.pages.size());
  }

 private:
  void open_journal() {
    try {
      journal_ = storage_.open(journal_name(options_.path), {});
    } catch (const OsError& error) {
      if (error.error() != ENOENT) throw;
      throw FormatError(FormatError::Kind::kNotAHeap, options_.path,
                        "its journal is missing: not a heap of the backend journal");
    }
  }

  void attach(std::size_t size, std::uint64_t sequence) {
    reserve(size);
    map(*file_, size, size);
    start(sequence);
  }

  void write_in_place(const Change& change) {
    follow_size(change.size, change.cut);
    for (std::size_t i = 0; i < change.pages.size(); ++i) {
      const std::byte* live = page(change.pages[i]);
      const ConstBytes from = has(Bug::kJournalFromMemory) ? ConstBytes(live, kPageSize) : writer_.page(i);
      write_all(*file_, from, std::uint64_t{change.pages[i]} * kPageSize);
      step("journal.commit.page-written");
    }
    write_footer(*file_, {sequence_ + 1, change.size}, options_.identity);
    step("journal.commit.footer-written");
  }

  // The end of the file after this commit's growth and shrinkage: behind `cut` nothing
  // old is left. The footer is written afterwards.
  void follow_size(std::uint64_t size, std::uint64_t cut) {
    const std::uint64_t wanted = size + kPageSize;
    if (file_->size() == wanted && cut == size) return;
    file_->truncate(cut);
    file_->truncate(wanted);
  }

  // Writes a record in place that may have been written in part already. It must be
  // durable before: else a second crash could find half of it here and none of it there.
  void recover(const Record& record) {
    const RecordHeader& header = record.header;
    if (has(Bug::kJournalRecoverySkipped) && footer_names(header.sequence)) return;
    journal_->datasync();
    step("journal.recover.record-synced");
    if (has(Bug::kJournalRecoveryResetsFirst)) reset();
    follow_size(header.size, header.cut);
    std::array<std::byte, kPageSize> page;
    for (std::size_t i = 0; i < record.entries.size(); ++i) {
      if (read_all(*journal_, page, (record.first_page + i) * kPageSize) != kPageSize) {
        throw OsError("pread", journal_->path(), EIO);
      }
      write_all(*file_, page, record.entries[i].page * kPageSize);
      step("journal.recover.page-written");
    }
    write_footer(*file_, {header.sequence, header.size}, options_.identity);
    step("journal.recover.footer-written");
    file_->datasync();
    step("journal.recover.heap-synced");
    reset();
    step("journal.recover.reset");
  }

  // Saves the next opening the work. Need not be durable: the record is in place.
  void reset() {
    const std::array<std::byte, kSector> zeros{};
    write_all(*journal_, zeros, 0);
  }

  bool footer_names(std::uint64_t sequence) {
    const auto footer = read_footer(*file_, options_.identity);
    return footer && footer->sequence == sequence;
  }

  // See RedoLog::prepare.
  void wipe_rest_of_record() {
    if (wiped_) return;
    wiped_ = true;
    if (!has_rest_of_record(*journal_, 0, sequence_ + 1)) return;
    reset();
    journal_->datasync();
  }

  std::unique_ptr<File> file_;
  std::unique_ptr<File> journal_;
  RecordWriter writer_;
  bool wiped_ = false;
};

}  // namespace

const BackendKind kJournalBackend =
    make_kind<Journal>("journal", "changed pages to a journal, flush, in place, flush", true, false, kSteps);

}  // namespace plugpull
