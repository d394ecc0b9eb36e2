// The content of a disk as a trace: one write for each part that is not zero, all durable.
#ifndef PLUGPULL_NATIVE_DISK_STATE_FILE_H_
#define PLUGPULL_NATIVE_DISK_STATE_FILE_H_

#include <cstdint>
#include <string>

namespace plugpull::disk {

// Both throw std::system_error or std::runtime_error.
void save_state(int fd, uint64_t size, const std::string& trace);
// Makes (or replaces) the sparse file `image` from what such a file says, or from any trace with all its
// writes.
void restore_state(const std::string& trace, const std::string& image);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_STATE_FILE_H_
