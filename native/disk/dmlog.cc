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

}  // namespace

uint64_t trace_from_dmlog(const std::string& log, const std::string& trace, uint64_t image_bytes) {
  const Fd fd(check(open(log.c_str(), O_RDONLY | O_CLOEXEC), "open " + log));
  struct stat status {};
  check(fstat(fd.get(), &status), "stat " + log);
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  Super super{};
  if (size < sizeof super) throw std::runtime_error(log + " is no dm-log-writes log: too short");
  read_all(fd.get(), &super, sizeof super, 0, "read " + log);
  if (super.magic != kLogMagic) throw std::runtime_error(log + " is no dm-log-writes log");
  const uint64_t unit = super.sector_bytes;
  if (super.version != 1 || unit < kSector || unit > 65536 || (unit & (unit - 1)) != 0) {
    throw std::runtime_error(log + ": unknown version or sector size");
  }

  TraceWriter out(trace, image_bytes);
  uint64_t at = unit;
  uint64_t id = 0;
  std::string data;
  const auto add = [&](Kind kind, uint8_t flags, uint64_t offset, uint64_t length, std::string_view bytes) {
    Record record{.kind = kind, .flags = flags, .id = ++id, .offset = offset, .length = length};
    out.add(record, bytes);
    out.add({.kind = Kind::kDone, .id = id});
  };
  for (uint64_t number = 0; number < super.entries; number++) {
    Entry entry{};
    if (at + unit > size) throw std::runtime_error(log + " ends inside entry " + std::to_string(number));
    read_all(fd.get(), &entry, sizeof entry, at, "read " + log);
    if ((entry.flags & kMarkFlag) != 0) {
      data.resize(std::min(entry.data_length, unit - sizeof entry));
      read_all(fd.get(), data.data(), data.size(), at + sizeof entry, "read " + log);
      if (const size_t end = data.find('\0'); end != std::string::npos) data.resize(end);
      out.add({.kind = Kind::kMark}, data);
      at += unit;
      continue;
    }
    if ((entry.flags & kFlushFlag) != 0) add(Kind::kFlush, 0, 0, 0, {});
    at += unit;
    if (entry.sectors == 0) continue;
    if (entry.sectors > image_bytes / unit || entry.sector > image_bytes / unit - entry.sectors) {
      throw std::runtime_error(log + ": entry " + std::to_string(number) + " lies outside of the device");
    }
    uint64_t offset = entry.sector * unit;
    uint64_t length = entry.sectors * unit;
    if ((entry.flags & kDiscardFlag) != 0) {
      add(Kind::kDiscard, 0, offset, length, {});
      continue;
    }
    if (at + length > size) throw std::runtime_error(log + " ends inside entry " + std::to_string(number));
    const uint8_t flags = (entry.flags & kFuaFlag) != 0 ? kFua : 0;
    while (length > 0) {
      const uint64_t part = std::min(length, kMaxWrite);
      data.resize(part);
      read_all(fd.get(), data.data(), part, at, "read " + log);
      add(Kind::kWrite, flags, offset, part, data);
      at += part;
      offset += part;
      length -= part;
    }
  }
  out.flush();
  return super.entries;
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
