// Which of the pending writes of an epoch are on the medium, as text: the canonical path of a crash state.
#ifndef PLUGPULL_NATIVE_DISK_CHOICES_H_
#define PLUGPULL_NATIVE_DISK_CHOICES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace plugpull::disk {

struct Kept {
  size_t pending;  // index into Epoch::pending
  // Which units of the write, from its start; empty: all of them.
  std::vector<bool> mask;
};

// `-`: none; `*`: all; else a comma-separated list of `N` (whole) or `N:HEX` (torn; bit i of the number is
// the i-th unit), in ascending order. Throws std::runtime_error on anything else.
std::vector<Kept> parse_choices(const std::string& text, size_t pending);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_CHOICES_H_
