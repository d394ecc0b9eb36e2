// What the recording disk does with each request, without FUSE: content, faults and trace.
#ifndef PLUGPULL_NATIVE_DISK_SERVED_DISK_H_
#define PLUGPULL_NATIVE_DISK_SERVED_DISK_H_

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/disk/recorder.h"
#include "native/disk/trace.h"

namespace plugpull::disk {

class ServedDisk {
 public:
  // Loads the image into memory (which the caller locks).
  ServedDisk(const RecorderOptions& options);
  ~ServedDisk();
  ServedDisk(const ServedDisk&) = delete;
  ServedDisk& operator=(const ServedDisk&) = delete;

  uint64_t size() const { return size_; }
  const char* bytes() const { return bytes_; }
  uint64_t delay_micros() const { return options_.delay_micros; }

  // Each gives 0 or an errno. Operations that are recorded set *id, to be given to done() when they are
  // answered.
  int read(uint64_t offset, uint64_t length);
  int write(uint64_t offset, std::string_view data, uint64_t* id);
  int zero(uint64_t offset, uint64_t length, bool discard, uint64_t* id);
  int flush(uint64_t* id);
  int mark(std::string_view text);
  // An operation is about to be answered. 0: it was not recorded.
  void done(uint64_t id);

  // A line of the control protocol; false if it makes no sense.
  bool control(const std::string& line);
  // One line of numbers.
  std::string summary() const;
  // Errno of a failed write of the trace: from then on everything fails.
  int trace_error() const { return trace_error_; }
  void finish();

 private:
  static constexpr size_t kMaxOnMark = 64;

  // Counts an error that was injected.
  int failed(int error);
  bool write_fails();
  bool control_later(std::istringstream& words);
  // No fault is left, and none will come.
  void heal();
  int add(Kind kind, uint64_t offset, uint64_t length, std::string_view data, uint64_t* id);

  RecorderOptions options_;
  uint64_t size_ = 0;
  char* bytes_ = nullptr;
  TraceWriter trace_;
  uint64_t started_;
  uint64_t ids_ = 0;
  uint64_t reads_ = 0;
  uint64_t writes_ = 0;
  uint64_t flushes_ = 0;
  uint64_t written_ = 0;
  uint64_t marks_ = 0;
  // Blocks of 4096 bytes that were ever changed, and their number.
  std::vector<bool> changed_;
  uint64_t changed_count_ = 0;
  uint64_t failed_ = 0;
  // What to change when such a mark is written, in order.
  std::vector<std::pair<std::string, std::string>> on_mark_;
  int trace_error_ = 0;
};

// CLOCK_MONOTONIC.
uint64_t now_micros();

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_SERVED_DISK_H_
