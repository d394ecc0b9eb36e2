// A process that checks one folder after the other: it reads names of folders from one pipe and writes an
// answer of one line for each to another.
#ifndef PLUGPULL_NATIVE_DISK_RESIDENT_CHECKER_H_
#define PLUGPULL_NATIVE_DISK_RESIDENT_CHECKER_H_

#include <string>

#include "native/disk/files.h"
#include "native/disk/lines.h"

namespace plugpull::disk {

class ResidentChecker {
 public:
  // `folder` has its two pipes: `requests` and `answers`. Nobody else may read the answers from now on.
  // Throws std::system_error.
  explicit ResidentChecker(const std::string& folder);

  enum class End { kAnswered, kLate, kStopped };
  // Has `folder` checked. Gives up after so many milliseconds, or as soon as a line `stop` (or the end) comes
  // from `control`; then nothing more can be asked of it.
  End check(const std::string& folder, int millis, LineReader& control, std::string* answer);

 private:
  Fd requests_;
  Fd answers_;
  LineReader lines_;
};

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_RESIDENT_CHECKER_H_
