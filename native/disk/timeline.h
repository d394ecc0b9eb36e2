// Which writes a power cut can lose: the recording cut into epochs, one for each moment at which something
// became durable.
#ifndef PLUGPULL_NATIVE_DISK_TIMELINE_H_
#define PLUGPULL_NATIVE_DISK_TIMELINE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "native/disk/parts.h"
#include "native/disk/trace.h"

namespace plugpull::disk {

// An epoch begins where a flush (or a write with force unit access) was answered that made something durable,
// and ends where the next one is answered. Inside an epoch what is durable does not change; any subset of
// `pending` may be on the medium besides.
struct Epoch {
  // Records [first, last) of the trace fall into it.
  size_t first = 0;
  size_t last = 0;
  // Indices of records (writes, discards, zeroings), in the order of submission.
  std::vector<size_t> now_durable;  // became durable where it begins
  std::vector<size_t> pending;      // submitted before its end, not durable in it
  // Of those among them that came in before other writes to the same place which are durable by now: where
  // these lie. The disk carries out writes in the order in which they came in, as its reads have shown; so
  // the older one has no effect there, whether it is durable or not. One without any effect is not pending
  // any more.
  std::map<size_t, Ranges> hidden;

  const Ranges& hidden_of(size_t index) const;
};

// A write is durable once a flush that was received after the write was answered has itself been answered.
// The order of the answers decides, not the order of submission.
std::vector<Epoch> epochs_of(const std::vector<Record>& records);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_TIMELINE_H_
