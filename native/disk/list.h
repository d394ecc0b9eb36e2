// A trace as text.
#ifndef PLUGPULL_NATIVE_DISK_LIST_H_
#define PLUGPULL_NATIVE_DISK_LIST_H_

#include <string>

namespace plugpull::disk {

// Prints, one a line:
//   trace IMAGE_BYTES TORN_BYTES
//   e EPOCH                        an epoch begins
//   w|d|z ID OFFSET LENGTH         submitted: a write, discard or zeroing
//   f ID                           submitted: a flush
//   a ID                           answered
//   m TEXT                         a mark
//   p N ID…                        at the end of an epoch: its pending operations, in the order of the
//   choices
void list(const std::string& trace);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_LIST_H_
