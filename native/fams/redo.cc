#include "native/fams/redo.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <iterator>
#include <mutex>
#include <optional>

#include "native/fams/creation.h"
#include "native/fams/mapped_heap.h"
#include "native/fams/redo_log.h"
#include "native/fams/redo_recovery.h"
#include "native/fams/step.h"
#include "native/fams/worker.h"
#include "native/storage/error.h"
#include "native/storage/io.h"

namespace plugpull {
namespace {

constexpr std::array<std::string_view, 16> kSteps = {
    "redo.create.logs-written",    "redo.create.heap-written",
    "redo.create.files-synced",    "redo.create.entries-synced",
    "redo.create.named",           "redo.create.name-synced",
    "redo.commit.captured",        "redo.commit.log-written",
    "redo.commit.log-synced",      "redo.checkpoint.pages-written",
    "redo.checkpoint.heap-synced", "redo.checkpoint.mark-written",
    "redo.checkpoint.mark-synced", "redo.recover.log-read",
    "redo.recover.log-synced",     "redo.recover.mapped"};

// See docs/architecture.md for the protocol.
class Redo final : public MappedHeap {
 public:
  using MappedHeap::MappedHeap;

  void create() {
    check_creation(storage_, options_);
    const std::uint64_t heap_pages = options_.size / kPageSize;
    const std::uint64_t asked =
        options_.log_bytes != 0 ? options_.log_bytes / kPageSize : std::min(heap_pages, kMostLogPages);
    const LogHeader header{.generation = 1,
                           .first = 1,
                           .base_size = options_.size,
                           .log_pages = std::max(asked, kLeastLogPages)};
    if (has(Bug::kRedoNamedBeforeLogs)) name_too_early();
    for (int i = 0; i < 2; ++i) {
      logs_[i].emplace(storage_.open(log_name(options_.path, i), {.create = true, .truncate = true}),
                       options_.identity);
      logs_[i]->fill_with_zeros(header.log_pages);
      logs_[i]->begin(i == 0 ? header : LogHeader{.log_pages = header.log_pages});
      logs_[i]->write_header(i == 0);
    }
    logs_[0]->set_applied();
    step("redo.create.logs-written");
    file_ = open_temporary(storage_, options_.path);
    file_->truncate(options_.size);
    step("redo.create.heap-written");
    logs_[0]->file().sync();
    logs_[1]->file().sync();
    file_->sync();
    step("redo.create.files-synced");
    storage_.sync_directory(directory_of(options_.path));
    step("redo.create.entries-synced");
    storage_.rename(temporary_name(options_.path), options_.path);
    step("redo.create.named");
    if (!has(Bug::kRedoDirectoryNotSynced)) sync_directory_chain(storage_, directory_of(options_.path));
    step("redo.create.name-synced");
    reserve(options_.size);
    map(*file_, options_.size, options_.size);
    start(0);
  }

  void open() {
    const bool write = !options_.read_only || has(Bug::kRedoRecoveryErasesLog);
    file_ = open_heap_file(storage_, options_.path, write);
    for (int i = 0; i < 2; ++i)
      logs_[i].emplace(open_log(storage_, options_.path, i, write), options_.identity);
    const RecoveredLogs found = recover_logs(*logs_[0], *logs_[1], options_.planted);
    step("redo.recover.log-read");
    active_ = found.newest;
    // What was seen must stay: the log may have been written and not flushed before the
    // process died, and so may the name of the heap.
    active().file().datasync();
    storage_.sync_directory(directory_of(options_.path));
    step("redo.recover.log-synced");
    apply_pending_ = found.other_pending;
    reserve(active().content().size);
    map_recovered(found.from_file(*file_, active(), other()));
    if (has(Bug::kRedoRecoveryErasesLog)) active().erase();
    step("redo.recover.mapped");
    start(active().next_sequence() - 1);
  }

  void close() override {
    applier_.stop();
    MappedHeap::close();
    for (auto& log : logs_) log.reset();
    file_.reset();
  }

 protected:
  void write_commit(Captured& captured) override {
    const Change change = captured_change();
    writer_.capture(change.pages, base_);
    captured();
    if (has(Bug::kRedoPagesBeforeLog)) write_in_place(change);
    step("redo.commit.captured");
    if (!active().empty() && !active().has_room(writer_.pages())) switch_logs();
    {
      const std::scoped_lock lock(log_mutex_);
      active().append(writer_, {.sequence = sequence_ + 1, .size = change.size, .cut = change.cut},
                      options_.planted);
      step("redo.commit.log-written");
      check_applier();
      sync_log();
    }
    if (has(Bug::kRedoRearmedAfterFlush)) capture();
    step("redo.commit.log-synced");
    committed(change, change.pages.size());
    if (!apply_pending_) return;
    if (options_.background) {
      applier_.wake();
    } else {
      apply();
    }
  }

  void write_checkpoint() override {
    finish_apply();
    if (active().empty()) return;
    switch_logs();
    active().prepare();
    write_back(other());
    active().write_header(true);
    step("redo.checkpoint.mark-written");
    active().file().datasync();
    step("redo.checkpoint.mark-synced");
    applied();
  }

 private:
  RedoLog& active() { return *logs_[active_]; }
  RedoLog& other() { return *logs_[1 - active_]; }

  // The first `from_file` bytes of the backing file, and over them the newest version of
  // each page that the logs hold.
  void map_recovered(std::uint64_t from_file) {
    using Page = LogContent::Page;
    const auto by_number = [](const Page& a, const Page& b) { return a.page < b.page; };
    const std::vector<Page> newer = active().content().newest(active().content().size);
    std::vector<Page> older;
    if (apply_pending_) older = other().content().newest(active().content().cut);
    std::erase_if(older, [&](const Page& entry) {
      return std::binary_search(newer.begin(), newer.end(), entry, by_number);
    });
    std::vector<Page> both;
    std::merge(newer.begin(), newer.end(), older.begin(), older.end(), std::back_inserter(both), by_number);
    std::vector<std::uint32_t> replaced;
    for (const Page& entry : both) {
      if (std::uint64_t{entry.page} * kPageSize < from_file) replaced.push_back(entry.page);
    }
    map(*file_, from_file, active().content().size, replaced);
    for (const auto& entry : older) read_page(other(), entry, Bytes(page(entry.page), kPageSize));
    for (const auto& entry : newer) read_page(active(), entry, Bytes(page(entry.page), kPageSize));
  }

  static void read_page(RedoLog& log, const LogContent::Page& entry, Bytes out) {
    if (read_all(log.file(), out, std::uint64_t{entry.position} * kPageSize) != out.size()) {
      throw OsError("pread", log.file().path(), EIO);
    }
  }

  // The other log becomes active. What the one that was holds is not in the backing file yet.
  void switch_logs() {
    finish_apply();
    const LogHeader& full = active().header();
    const LogHeader next{.generation = full.generation + 1,
                         .first = sequence_ + 1,
                         .base_size = active().content().size,
                         .log_pages = full.log_pages};
    active_ = 1 - active_;
    active().begin(next);
    // A commit larger than the log may have made it longer.
    if (active().file().size() > next.log_pages * kPageSize)
      active().file().truncate(next.log_pages * kPageSize);
    apply_pending_ = true;
  }

  // Brings the backing file to the state after the last record of `log`, durably. From the
  // log and not from memory, which may have changed since.
  void write_back(RedoLog& log) {
    constexpr std::size_t kMostAtOnce = 64;
    const LogContent& content = log.content();
    std::uint64_t size = file_->size();
    if (content.cut < size) file_->truncate(size = content.cut);
    if (content.size != size) file_->truncate(content.size);
    const std::vector<LogContent::Page> pages = content.newest(content.size);
    std::vector<std::byte> buffer(std::min(kMostAtOnce, pages.size()) * kPageSize);
    for (std::size_t i = 0; i < pages.size();) {
      std::size_t count = 0;
      while (count < kMostAtOnce && i + count < pages.size() &&
             pages[i + count].page == pages[i].page + count) {
        read_page(log, pages[i + count], Bytes(buffer).subspan(count * kPageSize, kPageSize));
        ++count;
      }
      write_all(*file_, Bytes(buffer).first(count * kPageSize), std::uint64_t{pages[i].page} * kPageSize);
      i += count;
    }
    step("redo.checkpoint.pages-written");
    if (!has(Bug::kRedoHeapNotSynced)) file_->datasync();
    step("redo.checkpoint.heap-synced");
  }

  // Writes the full log back and marks it as applied in the active one.
  void apply() {
    if (has(Bug::kRedoMarkBeforeApply)) mark_too_early();
    write_back(other());
    {
      // Two flushes of one file must not run at once: an error is reported to one of them
      // alone, and it might not be the one that waits for its commit.
      const std::scoped_lock lock(log_mutex_);
      try {
        active().write_applied();
        step("redo.checkpoint.mark-written");
        active().file().datasync();
      } catch (...) {
        applier_error_ = std::current_exception();
        throw;
      }
      step("redo.checkpoint.mark-synced");
    }
    applied();
  }

  void applied() {
    active().set_applied();
    other().content() = {};
    apply_pending_ = false;
  }

  void sync_log() {
    if (has(Bug::kRedoLogNotSynced)) return;
    try {
      active().file().datasync();
    } catch (const OsError&) {
      if (!has(Bug::kRedoSyncRetried)) throw;
      active().file().datasync();
    }
  }

  // --- planted bugs that need more than a line ---

  Change captured_change() {
    Change change = capture();
    if (has(Bug::kRedoLastPageMissed) && !change.pages.empty()) change.pages.pop_back();
    if (has(Bug::kRedoGrownPagesMissed) || has(Bug::kRedoGrowthNotLogged)) {
      std::erase_if(change.pages, [this](std::size_t page) { return page * kPageSize >= committed_size_; });
    }
    if (has(Bug::kRedoGrowthNotLogged)) {
      change.size = std::min(change.size, committed_size_);
      change.cut = std::min(change.cut, change.size);
    }
    return change;
  }

  void name_too_early() {
    open_temporary(storage_, options_.path)->truncate(options_.size);
    storage_.rename(temporary_name(options_.path), options_.path);
    step("redo.create.named");
  }

  void write_in_place(const Change& change) {
    for (std::size_t i = 0; i < change.pages.size(); ++i) {
      write_all(*file_, writer_.page(i), std::uint64_t{change.pages[i]} * kPageSize);
    }
  }

  void mark_too_early() {
    active().write_applied();
    active().file().datasync();
    step("redo.checkpoint.mark-written");
  }

  // --- the applier thread ---

  void check_applier() {
    if (applier_error_) std::rethrow_exception(applier_error_);
  }

  void finish_apply() {
    applier_.wait_until_idle();
    check_applier();
    if (apply_pending_) apply();
  }

  void apply_in_background() {
    try {
      if (apply_pending_) apply();
    } catch (...) {
      const std::scoped_lock lock(log_mutex_);
      if (!applier_error_) applier_error_ = std::current_exception();
    }
  }

  std::unique_ptr<File> file_;
  std::array<std::optional<RedoLog>, 2> logs_;
  int active_ = 0;
  std::atomic<bool> apply_pending_ = false;  // the other log holds commits that the backing file does not
  RecordWriter writer_;

  std::mutex log_mutex_;  // writing and flushing the active log, and applier_error_
  std::exception_ptr applier_error_;
  Worker applier_{[this] { apply_in_background(); }};  // last: stopped before the rest goes
};

}  // namespace

const BackendKind kRedoBackend = make_kind<Redo>(
    "redo", "changed pages to a log, one write and one flush a commit; applied later", true, false, kSteps);

}  // namespace plugpull
