// The disk that a power cut left, as an image file: for whoever mounts it elsewhere.
#ifndef PLUGPULL_NATIVE_DISK_STATE_IMAGE_H_
#define PLUGPULL_NATIVE_DISK_STATE_IMAGE_H_

#include <cstdint>
#include <string>

namespace plugpull::disk {

struct StateChoice {
  uint64_t epoch = 0;
  // See choices.h.
  std::string choices;
  // Units in which a write can be torn.
  uint64_t unit = 4096;
};

// Makes (or replaces) the sparse file `image`: what was durable when the epoch began, and the writes chosen.
// `base` is the disk before the trace. What lies behind the trace's disk in `base` is copied as it is. Throws
// std::system_error or std::runtime_error.
void make_state(const std::string& base, const std::string& trace, const StateChoice& state,
                const std::string& image);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_STATE_IMAGE_H_
