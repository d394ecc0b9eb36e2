#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "native/fams/step.h"
#include "native/model/memory_pool.h"
#include "native/model/profile.h"
#include "native/model/recording.h"
#include "native/storage/storage.h"

namespace plugpull {

// POSIX files in memory, as a program sees them while the power is on, and a recording of all that is done
// to them, from which every crash state can be built. Directories need no making: every directory exists
// and is empty at first. Permissions are kept and not enforced (as for root).
class ModelStorage : public Storage {
 public:
  struct Options {
    const Profile* profile = nullptr;  // nullptr: posix
    std::size_t trace_bytes = std::size_t{256} << 20;
  };

  explicit ModelStorage(const Options& options);
  ~ModelStorage() override;

  std::unique_ptr<File> open(const std::string& path, OpenMode mode) override;
  bool exists(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void unlink(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::unique_ptr<Reservation> reserve(std::size_t size, std::byte* fixed) override;

  // Commit `commit` is durable, says the program: an older state after a later cut is a loss.
  void ack(std::uint64_t commit);
  // A step has been passed. See StepRecorder.
  void note_step(std::string_view step);

  // No heap is open any more: gives back the memory that waits for the next one.
  void release_memory() { pool_.release_unused(); }

  const Profile& profile() const { return *profile_; }
  // Has the trace met its limit? What was done since is not in it.
  bool full() const { return full_; }
  // Stable once nothing writes any more.
  const Trace& trace() const { return trace_; }
  // Whole content of every file, by path.
  std::map<std::string, std::vector<std::byte>> contents() const;

 private:
  friend class ModelFile;
  struct Inode {
    InodeId id = kNone;
    NameId path = kNone;  // the name it was last known by
    unsigned mode = 0;
    std::vector<std::byte> bytes;
  };
  // A mapping whose changes the OS may write back; `shadow` is what was last seen there.
  struct SharedMapping {
    std::shared_ptr<Inode> inode;
    std::byte* at = nullptr;
    std::vector<std::byte> shadow;
  };

  void add(Op op, ConstBytes written = {});
  void write(Inode& inode, ConstBytes in, std::uint64_t offset, bool mapped);
  void see_mapped_changes();
  void forget_mappings(const std::byte* at, std::size_t length);

  const Profile* profile_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Inode>, std::less<>> names_;
  std::vector<SharedMapping> shared_;
  MemoryPool pool_;
  Trace trace_;
  NameId step_ = kNone;
  bool full_ = false;
};

// While it lives, the process's steps are noted in the trace, and passed on to the observer before it.
class StepRecorder : public StepObserver {
 public:
  explicit StepRecorder(ModelStorage& storage) : storage_(storage), before_(observe_steps(this)) {}
  ~StepRecorder() override { observe_steps(before_); }
  StepRecorder(const StepRecorder&) = delete;
  StepRecorder& operator=(const StepRecorder&) = delete;

  void at(std::string_view step) override {
    storage_.note_step(step);
    if (before_ != nullptr) before_->at(step);
  }

 private:
  ModelStorage& storage_;
  StepObserver* before_;
};

}  // namespace plugpull
