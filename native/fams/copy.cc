#include "native/fams/copy.h"

#include <algorithm>
#include <array>

#include "native/fams/creation.h"
#include "native/fams/footer.h"
#include "native/fams/mapped_heap.h"
#include "native/fams/step.h"
#include "native/storage/io.h"

namespace plugpull {
namespace {

constexpr std::array<std::string_view, 10> kSteps = {
    "copy.create.written",          "copy.create.named",         "copy.create.directory-synced",
    "copy.commit.opened",           "copy.commit.pages-written", "copy.commit.written",
    "copy.commit.synced",           "copy.commit.renamed",       "copy.commit.directory-synced",
    "copy.recover.directory-synced"};

// The whole heap goes to a new file, which then takes the name of the old one. The
// mapping stays on the file it was made from, which loses its name but not its content.
class Copy final : public MappedHeap {
 public:
  using MappedHeap::MappedHeap;

  void create() {
    check_creation(storage_, options_);
    {
      const auto file = open_temporary(storage_, options_.path);
      file->truncate(options_.size + kPageSize);
      write_footer(*file, {0, options_.size}, options_.identity);
      if (!has(Bug::kCopyCreationNotSynced)) file->sync();
    }
    step("copy.create.written");
    storage_.rename(temporary_name(options_.path), options_.path);
    step("copy.create.named");
    sync_directory_chain(storage_, directory_of(options_.path));
    step("copy.create.directory-synced");
    attach();
  }

  void open() {
    if (has(Bug::kCopyFinishesRename) && storage_.exists(temporary_name(options_.path))) {
      storage_.rename(temporary_name(options_.path), options_.path);
    }
    attach();
    // The name may have been changed by a commit that was cut: what was seen must stay.
    storage_.sync_directory(directory_of(options_.path));
    step("copy.recover.directory-synced");
  }

 protected:
  void write_commit(Captured& captured) override {
    const Change change = capture();
    {
      const auto file = open_target();
      step("copy.commit.opened");
      // Straight from the heap: the page cache is the copy.
      const std::size_t first = has(Bug::kCopyInPlace) ? kPageSize : 0;
      write_all(*file, ConstBytes(base_, first), 0);
      if (first > 0) step("copy.commit.pages-written");
      const std::size_t last =
          has(Bug::kCopyGrowthCut) ? std::min(change.size, committed_size_) : change.size;
      write_all(*file, ConstBytes(base_, last).subspan(first), first);
      captured();
      step("copy.commit.pages-written");
      write_footer(*file, {sequence_ + 1, change.size}, options_.identity);
      step("copy.commit.written");
      if (!has(Bug::kCopyDataNotSynced)) file->sync();
      step("copy.commit.synced");
    }
    if (!has(Bug::kCopyInPlace) && !has(Bug::kCopyRenamedFirst)) {
      storage_.rename(temporary_name(options_.path), options_.path);
    }
    step("copy.commit.renamed");
    if (!has(Bug::kCopyDirectoryNotSynced)) storage_.sync_directory(directory_of(options_.path));
    step("copy.commit.directory-synced");
    committed(change, change.size / kPageSize);
  }

 private:
  std::unique_ptr<File> open_target() {
    if (has(Bug::kCopyInPlace)) return storage_.open(options_.path, {});
    auto file = open_temporary(storage_, options_.path);
    if (has(Bug::kCopyRenamedFirst)) storage_.rename(temporary_name(options_.path), options_.path);
    return file;
  }

  void attach() {
    const auto file = open_heap_file(storage_, options_.path, false);
    const auto footer = read_footer(*file, options_.identity);
    if (!footer) throw_no_footer(*file);
    reserve(footer->size);
    map(*file, footer->size, footer->size);
    start(footer->sequence);
  }
};

}  // namespace

const BackendKind kCopyBackend = make_kind<Copy>(
    "copy", "the whole heap to a new file, which is renamed over the old one", true, false, kSteps);

}  // namespace plugpull
