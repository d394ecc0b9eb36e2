#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "native/explore/chooser.h"
#include "native/explore/tear.h"
#include "native/model/profile.h"
#include "native/model/recording.h"

namespace plugpull {

using PendingId = std::uint32_t;

// The bytes of a file on the medium, zeros beyond. Shared with clones, so it is copied before it is changed.
struct Image {
  std::vector<std::byte> bytes;
};

// The elementary changes that an operation consists of. Each reaches the medium, or not, by itself.
enum class Change : std::uint8_t {
  kData,      // bytes, torn as its family says
  kGrow,      // the file becomes at least this long
  kTruncate,  // the file gets this size; what lay beyond is zero
  kMode,
  kClone,  // the source's extents over the first bytes, and at least this size
  kNames,  // one or two names at once
};

// One change that a power cut could undo.
struct Pending {
  Change change{};
  std::uint8_t level = 0;  // 0: the recorded run; 1: the first recovery …
  bool forced = false;     // on the medium in every state
  std::uint8_t directories_left = 0;
  std::uint8_t names = 0;
  InodeId inode = kNone;
  std::uint32_t op = 0;  // number of the operation in its level, from 1
  // Persists in part or whole only if the journal got so far; is whole if the journal got to `force`.
  std::uint32_t need = 0;
  std::uint32_t force = kNone;
  std::uint32_t chain = kNone, rank = 0;  // kGrow
  PendingId grow = kNone;                 // kData: the change of size it came with
  std::uint32_t frozen = kNone;           // kClone
  unsigned mode = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // kData, kClone: bytes; kGrow, kTruncate: size
  const std::byte* bytes = nullptr;
  NameId path[2] = {kNone, kNone};
  InodeId target[2] = {kNone, kNone};
  // kData: how it can tear, and which of its units do not matter because the same bytes lie beneath.
  std::uint32_t unit = 512;
  std::uint32_t first_unit = 0, units = 0;
  bool stale = false;
  const TearFamily* family = nullptr;
  std::uint32_t same = kNone;  // index of its bits
};

// What a crash at one point can have left: what is on the medium for sure, and the changes whose fate is
// open. Reads decide fates when they first depend on them, by asking the Chooser; everything decided or
// appended can be taken back to a mark, so that many states are visited over one scene.
//
// A crash state is the medium with a subset of the open changes applied in order, as the profile allows.
// Questions: a Pending's number, or kJournalQuestion + level (how far the journal got), or kChainQuestion +
// chain (which of a run of growing sizes was the last to persist).
class Scene {
 public:
  static constexpr std::uint32_t kJournalQuestion = 0x80000000U;
  static constexpr std::uint32_t kChainQuestion = 0x40000000U;

  Scene(const Profile& profile, TearFamilies& families, Chooser& chooser);

  // --- Building.
  enum class Fate : std::uint8_t { kOpen, kKept };
  // Takes in operation number `index`, counted from 1. kKept: it is seen by all later reads (recovery sees
  // its own writes).
  void apply(const Op& op, const Recording& from, std::uint32_t index, Fate fate);
  // Puts what is on the medium for sure into the images, and renumbers what is left. Not below a mark.
  void fold();
  // What follows was done after a crash: what is open now was settled by it, whatever is synced later.
  void begin_level();
  std::uint8_t level() const { return static_cast<std::uint8_t>(journals_.size() - 1); }
  InodeId new_inode(unsigned mode);
  InodeId inode_count() const { return inode_count_; }

  // --- Going back.
  std::size_t mark() const { return trail_.size(); }
  void rewind(std::size_t mark);
  void record_undo(bool on) { undo_ = on; }

  // Takes a decision again that a state over the same scene took.
  void decide(const Chooser::Frame& frame);

  // --- Observing.
  bool see_all = false;  // as without a cut: everything pending is seen
  InodeId lookup(NameId path);
  bool exists(NameId path);
  // The size, as far as a caller cares who can only tell sizes from `low` to `high` apart.
  std::uint64_t size(InodeId inode, std::uint64_t low, std::uint64_t high);
  unsigned mode(InodeId inode);
  // All of `out` is within the file's size.
  void read(InodeId inode, std::uint64_t offset, Bytes out);

  // --- For exploration and reports.
  const std::vector<Pending>& pending() const { return pending_; }
  struct Range {
    std::uint32_t lo, hi;
  };
  struct Chain {
    std::vector<PendingId> grows;
    Range rank{0, 0};
    std::uint8_t level = 0;
  };
  const std::vector<Range>& journals() const { return journals_; }
  std::span<const Chain> chains() const { return {chains_.data(), chain_count_}; }
  const TearFamily& family(PendingId id);
  // What is known of a change now: 0 open, 1 kept or whole, 2 lost, 3 torn; `candidate` for writes.
  struct Known {
    std::uint8_t fate;
    std::uint32_t candidate;
  };
  Known known(PendingId id);
  // Number of the last operation of level 0 of which something was decided to be on the medium, + 1; or 0.
  std::uint32_t last_kept() const;
  std::uint32_t names_known() const { return static_cast<std::uint32_t>(names_.size()); }
  const Profile& profile() const { return profile_; }
  const NameTable* paths = nullptr;  // to know which directory a name is in

 private:
  friend class Eager;
  struct Inode {
    std::shared_ptr<const Image> image;
    std::uint64_t size = 0;
    unsigned mode = 0;
    std::uint32_t open_chain = kNone;
    std::vector<PendingId> changes;  // oldest first
  };
  struct Name {
    InodeId inode = kNone;
    std::vector<PendingId> changes;
  };
  struct Frozen {  // what a clone took
    std::shared_ptr<const Image> image;
    std::vector<PendingId> changes;
    bool whole = false;
  };
  struct Data {                          // what is known of a write
    std::uint32_t first = 0, count = 0;  // class in the chooser's members; 0: any
    std::uint32_t seen_from = 1, seen_to = 0;
    std::uint32_t candidate = 0;
  };
  struct Undo {
    enum Kind : std::uint8_t {
      kFate,
      kData,
      kJournal,
      kChain,
      kForced,
      kForce,
      kDirectories,
      kPending,
      kInode,
      kLevel,
      kNewChain,
      kChainGrow,
      kOpenChain,
      kWhole
    } kind;
    std::uint32_t id;
    std::uint64_t a = 0, b = 0, c = 0;
  };

  // scene.cc
  Name& name(NameId path);
  PendingId add(Pending pending, Fate fate);
  void add_write(const Op& op, const Recording& from, std::uint32_t index, Fate fate);
  void add_data(Pending data, Fate fate);
  void add_clone(const Op& op, std::uint32_t index, Fate fate);
  void flushed_by(InodeId inode, std::uint32_t index);
  void undo(Undo entry) {
    if (undo_) trail_.push_back(entry);
  }

  // scene_sync.cc
  void sync_file(const Op& op, std::uint32_t index);
  void sync_directory(NameId path);
  void force(PendingId id);
  void force_prefix(std::uint32_t bound);
  NameId directory(NameId path);

  // scene_fold.cc
  bool blocked(const Pending& p, const std::vector<PendingId>& before) const;
  void fold_inode(Inode& inode);
  void fold_change(Inode& inode, const Pending& p);
  void fold_names();
  void renumber();

  // scene_read.cc
  bool kept(PendingId id);
  bool ask(std::uint32_t question, std::uint32_t detail, bool wanted);
  bool journal_reached(std::uint8_t level, std::uint32_t op);
  bool chain_reached(std::uint32_t chain, std::uint32_t rank);
  void settle_chain(std::uint32_t chain, std::uint32_t rank, bool reached);
  void set_journal(std::uint8_t level, Range range);
  void set_chain(std::uint32_t chain, Range range);
  void read_changes(const Image* image, const std::vector<PendingId>& changes, std::size_t n,
                    std::uint64_t offset, std::byte* out, std::size_t length, bool whole);
  void read_write(const Image* image, const std::vector<PendingId>& changes, std::size_t n,
                  std::uint64_t offset, std::byte* out, std::size_t length);

  // scene_observe.cc
  std::uint32_t observe(PendingId id, std::uint32_t from, std::uint32_t to, bool in_place);
  std::uint32_t classify(const TearFamily& family, PendingId id, std::uint32_t from, std::uint32_t to,
                         bool in_place);
  std::uint32_t pick(PendingId id, std::uint32_t class_base, std::uint32_t count);
  void constrain(PendingId id, std::uint32_t first, std::uint32_t count);
  void remember(PendingId id);
  bool can_be_torn(const Pending& p) const;
  struct Feasible {
    bool whole, partial, absent;
  };
  Feasible feasible(const Pending& p);
  bool same_beneath(PendingId id, std::uint32_t unit);
  void find_same(PendingId id);

  const Profile& profile_;
  TearFamilies& families_;
  Chooser& chooser_;
  std::vector<Pending> pending_;
  std::vector<Inode> inodes_;
  InodeId inode_count_ = 0;  // those beyond wait to be used again
  std::vector<Name> names_;
  std::vector<Frozen> frozen_;
  std::size_t frozen_count_ = 0;
  std::vector<Range> journals_{{0, 0}};
  std::vector<Chain> chains_;
  std::uint32_t chain_count_ = 0;
  std::vector<NameId> directories_;  // of each path
  NameTable directory_names_;
  // Decisions.
  std::vector<std::uint8_t> fates_;
  std::vector<Data> data_;
  std::vector<Undo> trail_;
  bool undo_ = false;
  std::vector<std::uint64_t> same_;
  // Room used again and again.
  std::vector<std::uint16_t> candidates_;
  std::vector<std::uint32_t> class_of_;
  std::vector<std::uint64_t> signatures_;
  std::vector<std::uint32_t> sizes_;
};

}  // namespace plugpull
