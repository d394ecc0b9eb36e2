#include "native/fams/snap.h"

#include <array>
#include <cerrno>
#include <optional>

#include "native/fams/creation.h"
#include "native/fams/footer.h"
#include "native/fams/mapped_heap.h"
#include "native/fams/step.h"
#include "native/storage/error.h"
#include "native/storage/io.h"

namespace plugpull {
namespace {

constexpr std::array<std::string_view, 17> kSteps = {
    "snap.create.heap-written",     "snap.create.snapshot-synced",
    "snap.create.entries-synced",   "snap.create.named",
    "snap.create.name-synced",      "snap.commit.page-written",
    "snap.commit.footer-written",   "snap.commit.target-invalid",
    "snap.commit.cloned",           "snap.commit.data-synced",
    "snap.commit.marked",           "snap.commit.mark-synced",
    "snap.commit.directory-synced", "snap.recover.chosen",
    "snap.recover.snapshot-synced", "snap.recover.cloned",
    "snap.recover.mapped"};

constexpr unsigned kInvalid = 0200;  // owner write-only
constexpr unsigned kValid = 0400;    // owner read-only: the mark

std::string snapshot_name(const std::string& path, std::uint64_t slot) {
  return path + ".snap" + std::to_string(slot);
}

// After famus_snap (T. Kelly, "Good Old-Fashioned Persistent Memory", ;login: 2019), with
// two snapshots that take turns: commit K goes to slot K mod 2, so the newest is never
// touched. Recovery starts from a snapshot alone; the backing file is scratch.
class Snap final : public MappedHeap {
 public:
  using MappedHeap::MappedHeap;

  void create() {
    check_creation(storage_, options_);
    for (int slot = 0; slot < 2; ++slot) remove_leftover(storage_, snapshot_name(options_.path, slot));
    file_ = open_temporary(storage_, options_.path);
    file_->truncate(options_.size + kPageSize);
    write_footer(*file_, {0, options_.size}, options_.identity);
    step("snap.create.heap-written");
    File& target = invalid_target(0, options_.size + kPageSize);
    target.clone_from(*file_);
    target.sync();
    target.chmod(kValid);
    target.sync();
    step("snap.create.snapshot-synced");
    storage_.sync_directory(directory_of(options_.path));
    step("snap.create.entries-synced");
    storage_.rename(temporary_name(options_.path), options_.path);
    step("snap.create.named");
    sync_directory_chain(storage_, directory_of(options_.path));
    step("snap.create.name-synced");
    attach(options_.size, 0);
  }

  void open() {
    file_ = open_heap_file(storage_, options_.path, true);
    const Snapshot newest = choose();
    step("snap.recover.chosen");
    // What was seen must stay: its mark and its name may not have been flushed yet.
    newest.file->sync();
    storage_.sync_directory(directory_of(options_.path));
    step("snap.recover.snapshot-synced");
    const std::uint64_t size = newest.footer.size + kPageSize;
    if (!has(Bug::kSnapNotClonedBack)) {
      if (file_->size() > size) file_->truncate(size);
      file_->clone_from(*newest.file);
    }
    step("snap.recover.cloned");
    attach(newest.footer.size, newest.footer.sequence);
    step("snap.recover.mapped");
  }

  void close() override {
    MappedHeap::close();
    for (auto& target : targets_) target.reset();
    file_.reset();
  }

 protected:
  void write_commit(Captured& captured) override {
    const Change change = capture();
    const std::uint64_t next = sequence_ + 1;
    if (change.size != committed_size_ || change.cut != change.size) {
      file_->truncate(change.cut);
      file_->truncate(change.size + kPageSize);
    }
    for (const std::uint32_t number : change.pages) {
      write_all(*file_, ConstBytes(page(number), kPageSize), std::uint64_t{number} * kPageSize);
      step("snap.commit.page-written");
    }
    captured();
    write_footer(*file_, {next, change.size}, options_.identity);
    step("snap.commit.footer-written");
    const std::uint64_t slot = has(Bug::kSnapNewestOverwritten) ? 0 : next % 2;
    File& target = invalid_target(slot, change.size + kPageSize);
    step("snap.commit.target-invalid");
    if (has(Bug::kSnapSilentCopy)) {
      mark_and_copy(target, change.size);
    } else {
      target.clone_from(*file_);
    }
    step("snap.commit.cloned");
    target.sync();
    step("snap.commit.data-synced");
    target.chmod(kValid);
    step("snap.commit.marked");
    if (!has(Bug::kSnapMarkNotSynced)) target.sync();
    step("snap.commit.mark-synced");
    if (!has(Bug::kSnapDirectoryNotSynced)) storage_.sync_directory(directory_of(options_.path));
    step("snap.commit.directory-synced");
    committed(change, change.pages.size());
  }

 private:
  // Planted: what a fallback without reflinks might do.
  void mark_and_copy(File& target, std::size_t size) {
    target.chmod(kValid);
    target.truncate(size + kPageSize);
    std::array<std::byte, kPageSize> page;
    for (std::uint64_t at = size + kPageSize; at > 0;) {
      at -= kPageSize;
      read_all(*file_, page, at);
      write_all(target, page, at);
      step("snap.commit.cloned");
    }
  }

  struct Snapshot {
    std::unique_ptr<File> file;
    Footer footer;
  };

  // The file of a slot, durably not valid, no longer than `size`. One that this session did
  // not make itself is replaced: its permissions let nobody but root open it for writing.
  File& invalid_target(std::uint64_t slot, std::uint64_t size) {
    std::unique_ptr<File>& target = targets_[slot];
    if (!target) {
      const std::string name = snapshot_name(options_.path, slot);
      remove_leftover(storage_, name);
      target = storage_.open(name, {.create = true, .exclusive = true, .permissions = kInvalid});
      return *target;
    }
    target->chmod(kInvalid);
    target->sync();
    if (target->size() > size) target->truncate(size);
    return *target;
  }

  std::optional<Snapshot> read_snapshot(std::uint64_t slot) {
    const std::string name = snapshot_name(options_.path, slot);
    Snapshot snapshot;
    try {
      snapshot.file = storage_.open(name, {.write = false});
    } catch (const OsError& error) {
      if (error.error() == ENOENT || error.error() == EACCES) return std::nullopt;  // write-only: not valid
      throw;
    }
    if (snapshot.file->permissions() != kValid) return std::nullopt;
    const auto footer = read_footer(*snapshot.file, options_.identity);
    // It was marked only after it was whole and durable.
    if (!footer)
      throw FormatError(FormatError::Kind::kCorrupt, name, "a snapshot marked valid has no valid footer");
    snapshot.footer = *footer;
    return snapshot;
  }

  Snapshot choose() {
    std::optional<Snapshot> even = read_snapshot(0);
    std::optional<Snapshot> odd = read_snapshot(1);
    if (!even && !odd) {
      throw FormatError(FormatError::Kind::kCorrupt, options_.path, "there is no valid snapshot of it");
    }
    if (!even) return std::move(*odd);
    if (!odd) return std::move(*even);
    const std::uint64_t a = even->footer.sequence;
    const std::uint64_t b = odd->footer.sequence;
    if (a != b + 1 && b != a + 1) {
      throw FormatError(FormatError::Kind::kCorrupt, options_.path,
                        "its snapshots hold commits " + std::to_string(a) + " and " + std::to_string(b) +
                            ", which do not follow one another");
    }
    if (has(Bug::kSnapOldestChosen)) return std::move(a < b ? *even : *odd);
    if (has(Bug::kSnapSequenceWraps)) return std::move(a % 4 > b % 4 ? *even : *odd);
    return std::move(a > b ? *even : *odd);
  }

  void attach(std::size_t size, std::uint64_t sequence) {
    reserve(size);
    map(*file_, size, size);
    start(sequence);
  }

  std::unique_ptr<File> file_;
  std::array<std::unique_ptr<File>, 2> targets_;
};

}  // namespace

const BackendKind kSnapBackend = make_kind<Snap>(
    "snap", "reflink snapshots in two slots, marked valid by their permission bits", true, true, kSteps);

}  // namespace plugpull
