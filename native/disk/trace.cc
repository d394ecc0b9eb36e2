#include "native/disk/trace.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "native/disk/files.h"

namespace plugpull::disk {

namespace {

constexpr char kMagic[16] = "plugpull.trace\n";
constexpr uint32_t kVersion = 1;
constexpr uint32_t kRecordMagic = 0x43525050;  // "PPRC"
constexpr size_t kBufferBytes = size_t{4} << 20;
constexpr uint32_t kMaxData = uint32_t{64} << 20;

// Both are written as they lie in memory, little-endian; every field is named in docs/disk.md.
struct FileHeader {
  char magic[16];
  uint32_t version;
  uint32_t reserved;
  uint64_t image_bytes;
  uint64_t checksum;
};

struct RecordHeader {
  uint32_t magic;
  uint8_t kind;
  uint8_t flags;
  uint16_t reserved;
  uint64_t id;
  uint64_t offset;
  uint64_t length;
  uint64_t micros;
  uint32_t data_length;
  uint32_t reserved2;
  uint64_t checksum;
};
static_assert(sizeof(FileHeader) == 40 && sizeof(RecordHeader) == 56);

uint64_t checksum_of(const FileHeader& header) {
  return XXH3_64bits(&header, offsetof(FileHeader, checksum));
}

uint64_t checksum_of(const RecordHeader& header, const void* data) {
  const uint64_t head = XXH3_64bits(&header, offsetof(RecordHeader, checksum));
  return XXH3_64bits_withSeed(data, header.data_length, head);
}

}  // namespace

TraceWriter::TraceWriter(const std::string& path, uint64_t image_bytes)
    : fd_(check(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), "open " + path)),
      buffer_(kBufferBytes) {
  FileHeader header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.image_bytes = image_bytes;
  header.checksum = checksum_of(header);
  put(&header, sizeof header);
  flush();
}

TraceWriter::~TraceWriter() {
  try {
    flush();
  } catch (...) {
    // Whoever cares has called flush() and seen the error.
  }
  close(fd_);
}

void TraceWriter::put(const void* data, size_t size) {
  if (used_ + size > buffer_.size()) flush();
  if (size > buffer_.size()) {
    write_all(fd_, data, size, "write trace");
    return;
  }
  std::memcpy(buffer_.data() + used_, data, size);
  used_ += size;
}

void TraceWriter::flush() {
  if (used_ == 0) return;
  write_all(fd_, buffer_.data(), used_, "write trace");
  used_ = 0;
}

void TraceWriter::add(Record record, std::string_view data) {
  RecordHeader header{};
  header.magic = kRecordMagic;
  header.kind = static_cast<uint8_t>(record.kind);
  header.flags = record.flags;
  header.id = record.id;
  header.offset = record.offset;
  header.length = record.length;
  header.micros = record.micros;
  header.data_length = static_cast<uint32_t>(data.size());
  header.checksum = checksum_of(header, data.data());
  put(&header, sizeof header);
  if (!data.empty()) put(data.data(), data.size());
  records_++;
}

TraceReader::TraceReader(const std::string& path)
    : fd_(check(open(path.c_str(), O_RDONLY | O_CLOEXEC), "open " + path)) {
  try {
    struct stat status {};
    check(fstat(fd_, &status), "stat " + path);
    const uint64_t size = static_cast<uint64_t>(status.st_size);
    FileHeader header{};
    if (size < sizeof header) throw std::runtime_error(path + " is no trace: too short");
    read_all(fd_, &header, sizeof header, 0, "read " + path);
    if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0)
      throw std::runtime_error(path + " is no trace");
    if (header.version != kVersion) {
      throw std::runtime_error(path + " has version " + std::to_string(header.version) +
                               "; this program reads " + std::to_string(kVersion));
    }
    if (header.checksum != checksum_of(header))
      throw std::runtime_error(path + ": the header's checksum is wrong");
    image_bytes_ = header.image_bytes;
    std::vector<char> data;
    uint64_t at = sizeof header;
    while (at + sizeof(RecordHeader) <= size) {
      RecordHeader raw{};
      read_all(fd_, &raw, sizeof raw, at, "read " + path);
      if (raw.magic != kRecordMagic || raw.data_length > kMaxData || at + sizeof raw + raw.data_length > size)
        break;
      data.resize(raw.data_length);
      read_all(fd_, data.data(), data.size(), at + sizeof raw, "read " + path);
      if (raw.checksum != checksum_of(raw, data.data())) break;
      // What lies outside of the device would be written outside of memory.
      if (raw.kind < 1 || raw.kind > 6 || raw.length > image_bytes_ || raw.offset > image_bytes_ - raw.length)
        break;
      if (static_cast<Kind>(raw.kind) == Kind::kWrite && raw.length != raw.data_length) break;
      records_.push_back({static_cast<Kind>(raw.kind), raw.flags, raw.id, raw.offset, raw.length, raw.micros,
                          at + sizeof raw, raw.data_length});
      at += sizeof raw + raw.data_length;
    }
    torn_bytes_ = size - at;
    void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd_, 0);
    if (memory == MAP_FAILED) fail(errno, "map " + path);
    map_ = static_cast<const char*>(memory);
    mapped_ = size;
  } catch (...) {
    close(fd_);
    throw;
  }
}

TraceReader::~TraceReader() {
  munmap(const_cast<char*>(map_), mapped_);
  close(fd_);
}

void TraceReader::read(const Record& record, void* into) const {
  std::memcpy(into, data(record), record.data_length);
}

std::string TraceReader::text(const Record& record) const { return {data(record), record.data_length}; }

}  // namespace plugpull::disk
