// Images of disks: mostly holes.
#ifndef PLUGPULL_NATIVE_DISK_IMAGE_H_
#define PLUGPULL_NATIVE_DISK_IMAGE_H_

#include <cstdint>
#include <functional>
#include <string>

namespace plugpull::disk {

// Throws std::system_error.
uint64_t file_size(const std::string& path);

// Calls `found(offset, length)` for every part of the file that is no hole, in pieces of at most 1 MiB.
void for_each_data(int fd, uint64_t size, const std::function<void(uint64_t, uint64_t)>& found);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_IMAGE_H_
