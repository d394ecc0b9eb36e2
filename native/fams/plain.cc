#include "native/fams/plain.h"

#include <array>
#include <cstring>
#include <utility>

#include "native/fams/creation.h"
#include "native/fams/mapped_heap.h"
#include "native/fams/step.h"
#include "native/storage/error.h"
#include "native/storage/io.h"

namespace plugpull {
namespace {

constexpr std::array<std::string_view, 5> kSteps = {"plain.create.written", "plain.create.named",
                                                    "plain.commit.range-synced",
                                                    "plain.commit.counter-synced", "plain.recover.mapped"};

std::string counter_name(const std::string& path) { return path + ".sequence"; }

// Files: the heap's pages and nothing else, and beside it the number of the last commit.
class Plain final : public MappedHeap {
 public:
  using MappedHeap::MappedHeap;

  void create() {
    check_creation(storage_, options_);
    open_counter(true);
    write_counter(0);
    file_ = open_temporary(storage_, options_.path);
    file_->truncate(options_.size);
    file_->sync();
    step("plain.create.written");
    storage_.rename(temporary_name(options_.path), options_.path);
    sync_directory_chain(storage_, directory_of(options_.path));
    step("plain.create.named");
    attach(options_.size, 0);
  }

  void open() {
    file_ = open_heap_file(storage_, options_.path, true);
    const std::uint64_t size = file_->size();
    if (size == 0 || size % kPageSize != 0) {
      throw FormatError(FormatError::Kind::kTruncated, options_.path, "the file is no whole number of pages");
    }
    open_counter(false);
    std::uint64_t sequence = 0;
    read_all(*counter_, Bytes(reinterpret_cast<std::byte*>(&sequence), sizeof sequence), 0);
    attach(size, sequence);
    step("plain.recover.mapped");
  }

  void close() override {
    MappedHeap::close();
    counter_.reset();
    file_.reset();
  }

 protected:
  void write_commit(Captured& captured) override {
    const Change change = capture();
    captured();  // too early, and there is no right moment: the mapping is the file
    const std::size_t pages = change.pages.size();
    for (std::size_t i = 0; i < pages;) {
      std::size_t end = i + 1;
      while (end < pages && change.pages[end] == change.pages[end - 1] + 1) ++end;
      file_->sync_mapping(page(change.pages[i]), (end - i) * kPageSize);
      step("plain.commit.range-synced");
      i = end;
    }
    if (change.size != committed_size_) file_->sync();
    write_counter(sequence_ + 1);
    step("plain.commit.counter-synced");
    committed(change, pages);
  }

  bool map_growth(std::size_t, std::size_t to) override {
    file_->truncate(to);
    file_->map_shared(base_, to);
    return true;
  }

  void map_shrinkage(std::size_t to) override { file_->truncate(to); }

 private:
  void open_counter(bool create) {
    counter_ =
        storage_.open(counter_name(options_.path), {.write = true, .create = create, .truncate = create});
  }

  void write_counter(std::uint64_t sequence) {
    write_all(*counter_, ConstBytes(reinterpret_cast<const std::byte*>(&sequence), sizeof sequence), 0);
    counter_->datasync();
  }

  void attach(std::size_t size, std::uint64_t sequence) {
    reserve(size);
    file_->map_shared(base_, size);
    size_ = size;
    start(sequence);
  }

  std::unique_ptr<File> file_;
  std::unique_ptr<File> counter_;
};

}  // namespace

const BackendKind kPlainBackend = make_kind<Plain>(
    "plain", "conventional msync of a shared mapping; not failure-atomic, the negative control", false, false,
    kSteps);

}  // namespace plugpull
