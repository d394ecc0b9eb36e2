#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "native/storage/storage.h"

namespace plugpull {

using InodeId = std::uint32_t;
using NameId = std::uint32_t;  // number of a path, or of a step's name, in its table
inline constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

enum class OpKind : std::uint8_t {
  kCreate,         // path names the new inode; mode
  kRename,         // path -> other
  kUnlink,         // path
  kWrite,          // inode, offset, length, content; size_before
  kTruncate,       // inode; length is the new size; size_before
  kChmod,          // inode, mode
  kClone,          // inode takes the extents of source
  kSync,           // fsync of inode
  kDataSync,       // fdatasync of inode
  kRangeSync,      // msync of [offset, offset + length) of inode
  kSyncDirectory,  // path
  kAck,            // commit `length` has been reported as durable
  kStep,           // a named step of a protocol has been passed
};

// One recorded operation. Operations on a file name its inode, so they stay right across renames.
struct Op {
  OpKind kind{};
  bool mapped = false;    // kWrite: the OS wrote a page of a shared mapping
  bool replaces = false;  // kRename: a file of the new name was there
  unsigned mode = 0;
  InodeId inode = kNone;
  InodeId source = kNone;
  NameId path =
      kNone;  // of kCreate, kRename, kUnlink, kSyncDirectory; else a name the inode had (for people)
  NameId other = kNone;
  NameId step = kNone;  // the last step passed before this
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t size_before = 0;
  std::uint64_t content = 0;  // kWrite: where its bytes are in the recording
};

constexpr bool is_flush(OpKind kind) {
  return kind == OpKind::kSync || kind == OpKind::kDataSync || kind == OpKind::kRangeSync ||
         kind == OpKind::kSyncDirectory;
}
constexpr bool is_change(OpKind kind) { return kind <= OpKind::kClone; }

// Numbers for strings, handed out in order.
class NameTable {
 public:
  NameId id(std::string_view name);
  NameId find(std::string_view name) const;  // kNone if unknown
  const std::string& at(NameId id) const { return *names_.at(id); }
  std::size_t size() const { return names_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  std::unordered_map<std::string, NameId, Hash, std::equal_to<>> ids_;
  std::vector<const std::string*> names_;
};

// A recording grew over its limit: raise the limit, or record a shorter run.
class TraceLimit : public std::runtime_error {
 public:
  explicit TraceLimit(std::size_t limit);
};

// Operations in order, with the bytes that they wrote. Bytes never move once they are here.
class Recording {
 public:
  explicit Recording(std::size_t limit = std::numeric_limits<std::size_t>::max()) : limit_(limit) {}

  void add(const Op& op);
  // Adds a write with a copy of its bytes.
  void add_write(Op op, ConstBytes bytes);
  // Forgets all operations; keeps the memory.
  void clear();

  const std::vector<Op>& ops() const { return ops_; }
  const std::byte* bytes(const Op& op) const {
    return chunks_[op.content >> kChunkShift].get() + (op.content & kChunkMask);
  }
  std::size_t memory() const { return memory_; }

 private:
  // A write never crosses a chunk, so its bytes are contiguous; a longer one gets chunks of its own size.
  static constexpr unsigned kChunkShift = 20;
  static constexpr std::uint64_t kChunkMask = (1ULL << kChunkShift) - 1;

  std::byte* claim(std::size_t length, std::uint64_t* content);

  std::size_t limit_;
  std::size_t memory_ = 0;
  std::vector<Op> ops_;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::vector<std::size_t> sizes_;
  std::size_t chunk_ = 0;  // the one being filled
  std::size_t used_ = 0;
};

// What one run did to storage: the recording and the names it uses.
struct Trace {
  Recording recording;
  NameTable paths;
  NameTable steps;
  InodeId inodes = 0;  // how many were made
};

}  // namespace plugpull
