// The format of the kernel's dm-log-writes target and of QEMU's blklogwrites driver.
#ifndef PLUGPULL_NATIVE_DISK_DMLOG_H_
#define PLUGPULL_NATIVE_DISK_DMLOG_H_

#include <cstdint>
#include <optional>
#include <string>

namespace plugpull::disk {

struct DmlogOptions {
  // Size of the device, or of its first part alone: the log does not say. Nothing may be written between its
  // end and `marks_at`.
  uint64_t image_bytes = 0;
  // Writes from this offset on are marks: their first sector holds "PLUGMARK", a sequence number (u32), the
  // length of the text (u32, at most 496) and the text. They come into the trace exactly where they lie in
  // the log. Such a log is one of a run that was broken off: flushes at its end are left out, since QEMU
  // flushes by itself when it stops.
  std::optional<uint64_t> marks_at;
};

// Both give the number of entries and throw std::system_error or std::runtime_error.
//
// That format knows one moment for each operation: a write stands where it was answered, a flush where it was
// answered with only those writes before it that it covers.
//
// QEMU counts the entries in the log's superblock when it flushes, so what came after the last flush is read
// from the entries themselves, up to the end of the file or to the first one that was never wholly written
// (QEMU was killed). A log without a superblock is one without a flush.
uint64_t trace_from_dmlog(const std::string& log, const std::string& trace, const DmlogOptions& options);
uint64_t dmlog_from_trace(const std::string& trace, const std::string& log);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_DMLOG_H_
