#include "native/model/codec.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>

namespace plugpull {
namespace {

constexpr std::string_view kMagic = "PPTRACE1";
constexpr std::size_t kLongestName = 4096;

class Writer {
 public:
  void number(std::uint64_t value) {
    while (value >= 0x80) {
      out.push_back(static_cast<std::byte>(value | 0x80));
      value >>= 7;
    }
    out.push_back(static_cast<std::byte>(value));
  }
  void name(NameId id) { number(id == kNone ? 0 : std::uint64_t{id} + 1); }
  void raw(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(data);
    out.insert(out.end(), bytes, bytes + size);
  }
  void table(const NameTable& names) {
    number(names.size());
    for (NameId id = 0; id < names.size(); ++id) {
      number(names.at(id).size());
      raw(names.at(id).data(), names.at(id).size());
    }
  }

  std::vector<std::byte> out;
};

class Reader {
 public:
  explicit Reader(ConstBytes bytes) : bytes_(bytes) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw TraceFormatError("not a trace of this version: " + what + " at byte " + std::to_string(at_));
  }
  std::uint64_t number(std::uint64_t most, const char* what) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) fail(std::string(what) + " is cut short");
      const auto byte = static_cast<std::uint64_t>(bytes_[at_++]);
      if (shift == 63 && byte > 1) fail(std::string(what) + " is too large");
      value |= (byte & 0x7F) << shift;
      if ((byte & 0x80) != 0) continue;
      if (value > most) fail(std::string(what) + " is too large");
      return value;
    }
    fail(std::string(what) + " is too long");
  }
  NameId name(const NameTable& names, bool needed, const char* what) {
    const std::uint64_t value = number(names.size(), what);
    if (value == 0 && needed) fail(std::string(what) + " is missing");
    return value == 0 ? kNone : static_cast<NameId>(value - 1);
  }
  ConstBytes raw(std::size_t size, const char* what) {
    if (size > bytes_.size() - at_) fail(std::string(what) + " is cut short");
    const ConstBytes part = bytes_.subspan(at_, size);
    at_ += size;
    return part;
  }
  void table(NameTable& names, std::size_t limit) {
    const std::uint64_t count = number(limit / sizeof(std::string), "the number of names");
    for (std::uint64_t i = 0; i < count; ++i) {
      const ConstBytes text = raw(number(kLongestName, "the length of a name"), "a name");
      if (names.id({reinterpret_cast<const char*>(text.data()), text.size()}) != i)
        fail("a name is there twice");
    }
  }
  bool done() const { return at_ == bytes_.size(); }

 private:
  ConstBytes bytes_;
  std::size_t at_ = 0;
};

// The files as the operations so far left them: enough to tell whether the next one fits.
class Files {
 public:
  explicit Files(const Reader& reader) : reader_(reader) {}

  std::uint64_t& size(InodeId inode) {
    if (inode >= sizes_.size()) reader_.fail("an operation on a file that was never made");
    return sizes_[inode];
  }
  void create(NameId path) {
    if (!names_.emplace(path, static_cast<InodeId>(sizes_.size())).second)
      reader_.fail("a file is made twice");
    sizes_.push_back(0);
  }
  InodeId take(NameId path) {
    const auto found = names_.find(path);
    if (found == names_.end()) reader_.fail("a name that is not there is changed");
    const InodeId inode = found->second;
    names_.erase(found);
    return inode;
  }
  void give(NameId path, InodeId inode) { names_[path] = inode; }
  bool has(NameId path) const { return names_.contains(path); }
  InodeId count() const { return static_cast<InodeId>(sizes_.size()); }

 private:
  const Reader& reader_;
  std::vector<std::uint64_t> sizes_;
  std::map<NameId, InodeId> names_;
};

void read_op(Reader& in, Trace& trace, Files& files) {
  Op op;
  op.kind =
      static_cast<OpKind>(in.number(static_cast<std::uint64_t>(OpKind::kStep), "the kind of an operation"));
  op.step = in.name(trace.steps, op.kind == OpKind::kStep, "a step");
  const auto on_file = [&] {
    op.inode = static_cast<InodeId>(in.number(kNone - 1, "a file's number"));
    op.size_before = files.size(op.inode);
    op.path = in.name(trace.paths, false, "a path");
  };
  const auto mode = [&] { op.mode = static_cast<unsigned>(in.number(07777, "a mode")); };
  switch (op.kind) {
    case OpKind::kCreate:
      op.path = in.name(trace.paths, true, "a path");
      mode();
      op.inode = files.count();
      files.create(op.path);
      break;
    case OpKind::kRename:
      op.path = in.name(trace.paths, true, "a path");
      op.other = in.name(trace.paths, true, "a path");
      op.inode = files.take(op.path);
      op.replaces = files.has(op.other);
      files.give(op.other, op.inode);
      break;
    case OpKind::kUnlink:
      op.path = in.name(trace.paths, true, "a path");
      op.inode = files.take(op.path);
      break;
    case OpKind::kWrite: {
      on_file();
      op.mapped = in.number(1, "a flag") == 1;
      op.offset = in.number(kLongestFile, "an offset");
      const ConstBytes bytes = in.raw(in.number(kLongestFile, "a length"), "what was written");
      if (bytes.empty()) in.fail("a write of nothing");
      std::uint64_t& size = files.size(op.inode);
      size = std::max<std::uint64_t>(size, op.offset + bytes.size());
      trace.recording.add_write(op, bytes);
      return;
    }
    case OpKind::kTruncate:
      on_file();
      op.length = in.number(kLongestFile, "a size");
      files.size(op.inode) = op.length;
      break;
    case OpKind::kChmod:
      on_file();
      mode();
      break;
    case OpKind::kClone:
      on_file();
      op.source = static_cast<InodeId>(in.number(kNone - 1, "a file's number"));
      op.other = in.name(trace.paths, false, "a path");
      op.length = files.size(op.source);
      if (op.source == op.inode) in.fail("a file is cloned onto itself");
      files.size(op.inode) = std::max(op.size_before, op.length);
      break;
    case OpKind::kSync:
    case OpKind::kDataSync:
      on_file();
      op.size_before = 0;
      break;
    case OpKind::kRangeSync:
      on_file();
      op.size_before = 0;
      op.offset = in.number(kLongestFile, "an offset");
      op.length = in.number(kLongestFile, "a length");
      break;
    case OpKind::kSyncDirectory:
      op.path = in.name(trace.paths, true, "a path");
      break;
    case OpKind::kAck:
      op.length = in.number(std::uint64_t{1} << 53, "a commit's number");
      break;
    case OpKind::kStep:
      break;
  }
  trace.recording.add(op);
}

void write_op(Writer& out, const Recording& recording, const Op& op) {
  out.number(static_cast<std::uint64_t>(op.kind));
  out.name(op.step);
  const auto on_file = [&] {
    out.number(op.inode);
    out.name(op.path);
  };
  switch (op.kind) {
    case OpKind::kCreate:
      out.name(op.path);
      out.number(op.mode);
      break;
    case OpKind::kRename:
      out.name(op.path);
      out.name(op.other);
      break;
    case OpKind::kUnlink:
    case OpKind::kSyncDirectory:
      out.name(op.path);
      break;
    case OpKind::kWrite:
      on_file();
      out.number(op.mapped ? 1 : 0);
      out.number(op.offset);
      out.number(op.length);
      out.raw(recording.bytes(op), op.length);
      break;
    case OpKind::kTruncate:
      on_file();
      out.number(op.length);
      break;
    case OpKind::kChmod:
      on_file();
      out.number(op.mode);
      break;
    case OpKind::kClone:
      on_file();
      out.number(op.source);
      out.name(op.other);
      break;
    case OpKind::kSync:
    case OpKind::kDataSync:
      on_file();
      break;
    case OpKind::kRangeSync:
      on_file();
      out.number(op.offset);
      out.number(op.length);
      break;
    case OpKind::kAck:
      out.number(op.length);
      break;
    case OpKind::kStep:
      break;
  }
}

}  // namespace

std::vector<std::byte> encode_trace(const Trace& trace) {
  Writer out;
  out.raw(kMagic.data(), kMagic.size());
  out.table(trace.paths);
  out.table(trace.steps);
  out.number(trace.recording.ops().size());
  for (const Op& op : trace.recording.ops()) write_op(out, trace.recording, op);
  return std::move(out.out);
}

std::unique_ptr<Trace> decode_trace(ConstBytes bytes, std::size_t limit) {
  Reader in(bytes);
  const ConstBytes magic = in.raw(std::min(kMagic.size(), bytes.size()), "the first bytes");
  if (magic.size() != kMagic.size() || std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0) {
    in.fail("the first bytes are wrong");
  }
  auto trace = std::make_unique<Trace>();
  trace->recording = Recording(limit);
  in.table(trace->paths, limit);
  in.table(trace->steps, limit);
  const std::uint64_t count = in.number(limit / sizeof(Op), "the number of operations");
  Files files(in);
  try {
    for (std::uint64_t i = 0; i < count; ++i) read_op(in, *trace, files);
  } catch (const TraceLimit& error) {
    throw TraceFormatError(error.what());
  }
  if (!in.done()) in.fail("more follows the last operation");
  trace->inodes = files.count();
  return trace;
}

}  // namespace plugpull
