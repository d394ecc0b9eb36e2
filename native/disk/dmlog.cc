#include "native/disk/dmlog.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include "native/disk/files.h"
#include "native/disk/trace.h"

namespace plugpull::disk {

namespace {

constexpr uint64_t kLogMagic = 0x6a736677736872;
constexpr uint64_t kFlushFlag = 1;
constexpr uint64_t kFuaFlag = 2;
constexpr uint64_t kDiscardFlag = 4;
constexpr uint64_t kMarkFlag = 8;
constexpr uint64_t kSector = 512;
// One record of ours holds no more; longer writes are split, which only makes more states possible.
constexpr uint64_t kMaxWrite = uint64_t{16} << 20;

// Little-endian, both at the start of a sector; an entry's data begin at the next one.
struct Super {
  uint64_t magic;
  uint64_t version;
  uint64_t entries;
  uint32_t sector_bytes;
} __attribute__((packed));

struct Entry {
  uint64_t sector;
  uint64_t sectors;
  uint64_t flags;
  uint64_t data_length;
};

// What a workload says of itself, inside the disk itself: a sector behind the file system (see docs/vm.md).
constexpr char kMarkMagic[8] = {'P', 'L', 'U', 'G', 'M', 'A', 'R', 'K'};

struct MarkSector {
  char magic[8];
  uint32_t sequence;
  uint32_t text_length;
  char text[496];
};
static_assert(sizeof(MarkSector) == kSector);

class LogWriter {
 public:
  explicit LogWriter(const std::string& path)
      : fd_(check(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), "open " + path)) {}

  void add(uint64_t flags, uint64_t offset, uint64_t length, const std::string& data) {
    const Entry entry{offset / kSector, length / kSector, flags, (flags & kMarkFlag) != 0 ? data.size() : 0};
    std::vector<char> sector(kSector);
    std::memcpy(sector.data(), &entry, sizeof entry);
    if ((flags & kMarkFlag) != 0) {
      std::memcpy(sector.data() + sizeof entry, data.data(), std::min(data.size(), kSector - sizeof entry));
    }
    put(sector.data(), sector.size());
    if ((flags & kMarkFlag) == 0 && !data.empty()) put(data.data(), data.size());
    entries_++;
  }

  uint64_t finish() {
    const Super super{kLogMagic, 1, entries_, kSector};
    std::vector<char> sector(kSector);
    std::memcpy(sector.data(), &super, sizeof super);
    write_all_at(fd_.get(), sector.data(), sector.size(), 0, "write log");
    return entries_;
  }

 private:
  void put(const void* data, size_t size) {
    write_all_at(fd_.get(), data, size, at_, "write log");
    at_ += size;
  }

  Fd fd_;
  uint64_t at_ = kSector;
  uint64_t entries_ = 0;
};

// A log as it lies in its file: what its superblock counts, and what came after that was last written.
class LogFile {
 public:
  explicit LogFile(const std::string& path)
      : path_(path), fd_(check(open(path.c_str(), O_RDONLY | O_CLOEXEC), "open " + path)) {
    struct stat status {};
    check(fstat(fd_.get(), &status), "stat " + path);
    size_ = static_cast<uint64_t>(status.st_size);
    Super super{};
    read_all(fd_.get(), &super, std::min(size_, uint64_t{sizeof super}), 0, "read " + path);
    // QEMU writes it at the first flush.
    const Super none{};
    if (std::memcmp(&super, &none, sizeof super) == 0) return;
    if (size_ < sizeof super) throw std::runtime_error(path + " is no dm-log-writes log: too short");
    if (super.magic != kLogMagic) throw std::runtime_error(path + " is no dm-log-writes log");
    unit_ = super.sector_bytes;
    if (super.version != 1 || unit_ < kSector || unit_ > 65536 || (unit_ & (unit_ - 1)) != 0) {
      throw std::runtime_error(path + ": unknown version or sector size");
    }
    counted_ = super.entries;
  }

  uint64_t unit() const { return unit_; }
  uint64_t counted() const { return counted_; }
  bool has(uint64_t at, uint64_t length) const { return at <= size_ && length <= size_ - at; }

  void read(void* into, uint64_t length, uint64_t at) const {
    read_all(fd_.get(), into, length, at, "read " + path_);
  }

  // Was nothing ever written to some of it? A writer that was killed leaves such holes.
  bool has_hole(uint64_t at, uint64_t length) const {
    const off_t hole = lseek(fd_.get(), static_cast<off_t>(at), SEEK_HOLE);
    return hole < 0 || static_cast<uint64_t>(hole) < at + length;
  }

 private:
  std::string path_;
  Fd fd_;
  uint64_t size_ = 0;
  uint64_t unit_ = kSector;
  uint64_t counted_ = 0;
};

// Writes what a log says as a trace.
class Converter {
 public:
  Converter(const LogFile& log, const std::string& trace, const DmlogOptions& options)
      : log_(log),
        limit_(options.image_bytes),
        marks_at_(options.marks_at.value_or(UINT64_MAX)),
        out_(trace, options.image_bytes) {}

  // Gives the number of entries. `name` is the log's, for errors.
  uint64_t run(const std::string& name) {
    uint64_t at = log_.unit();
    uint64_t number = 0;
    for (;; number++) {
      const bool counted = number < log_.counted();
      Entry entry{};
      const bool there = log_.has(at, log_.unit());
      if (there) log_.read(&entry, sizeof entry, at);
      if (there && plausible(entry, at, counted)) {
        // QEMU flushes by itself when it stops. No ack can depend on a flush that nothing follows.
        const bool flush = entry.flags == kFlushFlag && entry.sectors == 0;
        if (flush && with_marks()) {
          flushes_++;
          at += log_.unit();
          continue;
        }
        for (; flushes_ > 0; flushes_--) put(Kind::kFlush, 0, 0, 0, {});
        at = add(entry, at + log_.unit());
        continue;
      }
      if (!counted) break;
      const std::string place = "entry " + std::to_string(number);
      if (there && !inside(entry))
        throw std::runtime_error(name + ": " + place + " lies outside of the device");
      throw std::runtime_error(name + " ends inside " + place);
    }
    out_.flush();
    return number;
  }

 private:
  bool with_marks() const { return marks_at_ != UINT64_MAX; }

  bool inside(const Entry& entry) const {
    const uint64_t unit = log_.unit();
    if (entry.sectors > UINT64_MAX / unit || entry.sector > UINT64_MAX / unit - entry.sectors) return false;
    const uint64_t end = (entry.sector + entry.sectors) * unit;
    return end <= limit_ || entry.sector * unit >= marks_at_;
  }

  // Can this be the entry at `at`? What the superblock counts must be whole; after that a hole, or nonsense,
  // is the end.
  bool plausible(const Entry& entry, uint64_t at, bool counted) const {
    if ((entry.flags & kMarkFlag) != 0)
      return counted || (entry.flags == kMarkFlag && entry.data_length != 0);
    if (!inside(entry)) return false;
    const bool data = (entry.flags & kDiscardFlag) == 0 && entry.sectors != 0;
    const uint64_t length = data ? entry.sectors * log_.unit() : 0;
    if (!log_.has(at + log_.unit(), length)) return false;
    if (counted) return true;
    if (entry.flags > (kFlushFlag | kFuaFlag | kDiscardFlag)) return false;
    if (entry.flags == 0 && entry.sectors == 0) return false;
    return !log_.has_hole(at, log_.unit() + length);
  }

  // Gives where the next entry begins. @param at where the data begin
  uint64_t add(const Entry& entry, uint64_t at) {
    const uint64_t unit = log_.unit();
    if ((entry.flags & kMarkFlag) != 0) {
      data_.resize(std::min(entry.data_length, unit - sizeof entry));
      log_.read(data_.data(), data_.size(), at - unit + sizeof entry);
      if (const size_t end = data_.find('\0'); end != std::string::npos) data_.resize(end);
      out_.add({.kind = Kind::kMark}, data_);
      return at;
    }
    if ((entry.flags & kFlushFlag) != 0) put(Kind::kFlush, 0, 0, 0, {});
    if (entry.sectors == 0) return at;
    uint64_t offset = entry.sector * unit;
    uint64_t length = entry.sectors * unit;
    if ((entry.flags & kDiscardFlag) != 0) {
      if (offset < marks_at_) put(Kind::kDiscard, 0, offset, length, {});
      return at;
    }
    if (offset >= marks_at_) {
      mark(at, length);
      return at + length;
    }
    const uint8_t flags = (entry.flags & kFuaFlag) != 0 ? kFua : 0;
    while (length > 0) {
      const uint64_t part = std::min(length, kMaxWrite);
      data_.resize(part);
      log_.read(data_.data(), part, at);
      put(Kind::kWrite, flags, offset, part, data_);
      at += part;
      offset += part;
      length -= part;
    }
    return at;
  }

  void put(Kind kind, uint8_t flags, uint64_t offset, uint64_t length, std::string_view bytes) {
    out_.add({.kind = kind, .flags = flags, .id = ++id_, .offset = offset, .length = length}, bytes);
    out_.add({.kind = Kind::kDone, .id = id_});
  }

  void mark(uint64_t at, uint64_t length) {
    MarkSector sector{};
    log_.read(&sector, std::min(length, uint64_t{sizeof sector}), at);
    if (std::memcmp(sector.magic, kMarkMagic, sizeof sector.magic) != 0 ||
        sector.text_length > sizeof sector.text) {
      throw std::runtime_error("a write to the place for marks is no mark");
    }
    out_.add({.kind = Kind::kMark}, {sector.text, sector.text_length});
  }

  const LogFile& log_;
  const uint64_t limit_;
  const uint64_t marks_at_;
  TraceWriter out_;
  uint64_t id_ = 0;
  uint64_t flushes_ = 0;  // read, and not in the trace yet
  std::string data_;
};

}  // namespace

uint64_t trace_from_dmlog(const std::string& log, const std::string& trace, const DmlogOptions& options) {
  if (options.marks_at.value_or(options.image_bytes) < options.image_bytes)
    throw std::runtime_error("the place for marks lies inside of the image");
  const LogFile file(log);
  return Converter(file, trace, options).run(log);
}

uint64_t dmlog_from_trace(const std::string& trace, const std::string& log) {
  const TraceReader reader(trace);
  const std::vector<Record>& records = reader.records();
  LogWriter out(log);

  std::map<uint64_t, size_t> submitted;  // by id
  std::map<uint64_t, std::set<size_t>>
      open;                  // flushes not answered: what had been answered when they came in
  std::set<size_t> waiting;  // answered, not yet in the log
  const auto put = [&](size_t index) {
    const Record& record = records[index];
    switch (record.kind) {
      case Kind::kWrite:
        out.add((record.flags & kFua) != 0 ? kFuaFlag : 0, record.offset, record.length, reader.text(record));
        break;
      case Kind::kDiscard:
        out.add(kDiscardFlag, record.offset, record.length, {});
        break;
      case Kind::kZero:
        out.add(0, record.offset, record.length, std::string(record.length, '\0'));
        break;
      default:
        break;
    }
  };
  // What `covered` names goes into the log; what a flush under way does not cover must wait for its entry.
  const auto put_covered = [&](const std::set<size_t>& covered) {
    for (const size_t index : covered) {
      if (waiting.erase(index) != 0) put(index);
    }
  };
  const auto put_free = [&] {
    const std::set<size_t> all = open.empty() ? waiting : open.begin()->second;
    put_covered(all);
  };

  for (size_t i = 0; i < records.size(); i++) {
    const Record& record = records[i];
    switch (record.kind) {
      case Kind::kMark:
        put_free();
        out.add(kMarkFlag, 0, 0, reader.text(record));
        break;
      case Kind::kFlush:
        submitted[record.id] = i;
        open[record.id] = waiting;
        break;
      case Kind::kDone: {
        const auto found = submitted.find(record.id);
        if (found == submitted.end()) break;
        const size_t index = found->second;
        submitted.erase(found);
        if (records[index].kind != Kind::kFlush) {
          waiting.insert(index);
          break;
        }
        put_covered(open[record.id]);
        open.erase(record.id);
        out.add(kFlushFlag, 0, 0, {});
        break;
      }
      default:
        submitted[record.id] = i;
    }
  }
  // Never answered, but they may be on the medium all the same.
  for (const auto& [id, index] : submitted) {
    if (records[index].kind != Kind::kFlush) waiting.insert(index);
  }
  open.clear();
  put_free();
  return out.finish();
}

}  // namespace plugpull::disk
