#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "native/explore/scene.h"
#include "native/model/memory_pool.h"
#include "native/model/recording.h"
#include "native/storage/storage.h"

namespace plugpull {

// The files as a crash left them, for recovery to work on. Reads decide the fates of pending changes as far
// as they must; what recovery does is seen by itself, recorded, and forgotten with the state.
class CrashView : public Storage {
 public:
  // `names` and `steps` hold those of the recorded run; those of recovery are added.
  CrashView(NameTable& names, NameTable& steps) : names_(names), steps_(steps) {}
  // From now on shows states of `scene`, which outlives its use.
  void show(Scene& scene) { scene_ = &scene; }

  std::unique_ptr<File> open(const std::string& path, OpenMode mode) override;
  bool exists(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void unlink(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::unique_ptr<Reservation> reserve(std::size_t size, std::byte* fixed) override;

  // Recovery is done, and gave the state of `commit`: it may not be lost any more.
  void ack(std::uint64_t commit);
  // Recovery has passed a step.
  void note_step(std::string_view step);
  // Begins a state: nothing has been done in it.
  void begin();
  // What was done since begin().
  const Recording& done() const { return done_; }
  // Hands it over, for memory to record anew.
  void swap_done(Recording& other) { std::swap(done_, other); }
  // Does anything of it change a file?
  bool changed() const { return changed_; }

 private:
  friend class CrashFile;
  struct SharedMapping {
    InodeId inode;
    std::byte* at;
    std::size_t length;
    std::vector<std::byte> shadow;
  };

  NameId id(const std::string& path);
  void perform(Op op);
  void write(InodeId inode, NameId path, ConstBytes in, std::uint64_t offset, bool mapped);

  Scene* scene_ = nullptr;
  NameTable& names_;
  NameTable& steps_;
  MemoryPool pool_;
  Recording done_;
  bool changed_ = false;
  NameId step_ = kNone;  // passed last
  std::vector<SharedMapping> shared_;
};

}  // namespace plugpull
