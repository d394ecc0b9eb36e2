// The recorded life of a block device: every write, flush, discard, zeroing and mark, with the moment it came
// in and the moment it was answered. The format is described in docs/disk.md.
#ifndef PLUGPULL_NATIVE_DISK_TRACE_H_
#define PLUGPULL_NATIVE_DISK_TRACE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plugpull::disk {

enum class Kind : uint8_t { kWrite = 1, kFlush = 2, kDiscard = 3, kZero = 4, kMark = 5, kDone = 6 };

// Force unit access: durable as soon as it is answered.
constexpr uint8_t kFua = 1;

struct Record {
  Kind kind = Kind::kWrite;
  uint8_t flags = 0;
  // Number of the operation, from 1, in the order of submission. kDone carries the number of what was
  // answered. 0 for marks.
  uint64_t id = 0;
  // Bytes on the device.
  uint64_t offset = 0;
  uint64_t length = 0;
  // Since the start of the recording.
  uint64_t micros = 0;
  // Where its data lie in the trace file: `length` bytes for a write, the text for a mark.
  uint64_t data_at = 0;
  uint32_t data_length = 0;
};

// Writes a trace. Memory is bounded by its one buffer. Throws std::system_error.
class TraceWriter {
 public:
  // Creates or replaces `path`. `image_bytes` is the size of the device.
  TraceWriter(const std::string& path, uint64_t image_bytes);
  ~TraceWriter();
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;

  // `data` must have the length that the kind asks for (see Record).
  void add(Record record, std::string_view data = {});
  // Hands all to the kernel.
  void flush();
  uint64_t records() const { return records_; }

 private:
  void put(const void* data, size_t size);

  int fd_;
  std::vector<char> buffer_;
  size_t used_ = 0;
  uint64_t records_ = 0;
};

// Reads a trace: the index of its records is held in memory, their data are mapped from the file, which must
// not change meanwhile.
class TraceReader {
 public:
  // Throws std::system_error if it cannot be read, std::runtime_error if it is no trace.
  explicit TraceReader(const std::string& path);
  ~TraceReader();
  TraceReader(const TraceReader&) = delete;
  TraceReader& operator=(const TraceReader&) = delete;

  uint64_t image_bytes() const { return image_bytes_; }
  const std::vector<Record>& records() const { return records_; }
  // Bytes at the end that are not a whole, valid record: what a killed recorder left.
  uint64_t torn_bytes() const { return torn_bytes_; }
  // Reads the data of a record into `into` (data_length bytes).
  void read(const Record& record, void* into) const;
  // The same without a copy: valid as long as this lives.
  const char* data(const Record& record) const { return map_ + record.data_at; }
  std::string text(const Record& record) const;

 private:
  int fd_;
  const char* map_ = nullptr;
  uint64_t mapped_ = 0;
  uint64_t image_bytes_ = 0;
  uint64_t torn_bytes_ = 0;
  std::vector<Record> records_;
};

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_TRACE_H_
