// The line protocols of this program: one answer to each line.
#ifndef PLUGPULL_NATIVE_DISK_ANSWERS_H_
#define PLUGPULL_NATIVE_DISK_ANSWERS_H_

#include <functional>
#include <string>
#include <vector>

#include "native/disk/lines.h"
#include "native/disk/mounts.h"

namespace plugpull::disk {

// Prints `ready`, then the answer to each line, until their end. What the answer throws becomes `error …`.
// Gives the exit status.
int serve_lines(LineReader& lines, const std::function<std::string(const std::string&)>& answer);

// `ok N`, then N lines `PHYSICAL LENGTH LOGICAL FILE`.
std::string answer_map(const std::vector<Extent>& extents);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_ANSWERS_H_
