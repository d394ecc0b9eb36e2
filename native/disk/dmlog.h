// The format of the kernel's dm-log-writes target and of QEMU's blklogwrites driver.
#ifndef PLUGPULL_NATIVE_DISK_DMLOG_H_
#define PLUGPULL_NATIVE_DISK_DMLOG_H_

#include <cstdint>
#include <string>

namespace plugpull::disk {

// Both give the number of entries written and throw std::system_error or std::runtime_error.
//
// That format knows one moment for each operation: a write stands where it was answered, a flush where it was
// answered with only those writes before it that it covers. `image_bytes` is the size of the device (the log
// does not say).
uint64_t trace_from_dmlog(const std::string& log, const std::string& trace, uint64_t image_bytes);
uint64_t dmlog_from_trace(const std::string& trace, const std::string& log);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_DMLOG_H_
