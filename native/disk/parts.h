// Which bytes of an operation reach the disk.
#ifndef PLUGPULL_NATIVE_DISK_PARTS_H_
#define PLUGPULL_NATIVE_DISK_PARTS_H_

#include <cstdint>
#include <vector>

#include "native/disk/trace.h"

namespace plugpull::disk {

// Bytes [from, to) of the device.
struct Range {
  uint64_t from = 0;
  uint64_t to = 0;
  bool operator==(const Range&) const = default;
};
using Ranges = std::vector<Range>;

// What is left of the ranges where none of `hidden` lies.
Ranges without(Ranges ranges, const Ranges& hidden);

// The parts of a write, discard or zeroing that are put on the device. `mask`: which units of `unit` bytes of
// it, from its start; empty: all. `hidden`: where it has no effect (see Epoch).
Ranges parts_of(const Record& record, const std::vector<bool>& mask, uint64_t unit, const Ranges& hidden);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_PARTS_H_
