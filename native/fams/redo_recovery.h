#pragma once
#include <memory>
#include <string>

#include "native/fams/redo_log.h"

namespace plugpull {

struct RecoveredLogs {
  int newest = 0;              // index of the log that goes on
  bool other_pending = false;  // the other one holds commits that the backing file does not

  // How many bytes at the start of the backing file belong to the heap; the rest is zero or
  // comes from the logs. FormatError kTruncated if the file is shorter.
  std::uint64_t from_file(File& heap, const RedoLog& active, const RedoLog& other) const;
};

std::string log_name(const std::string& heap, int index);

// FormatError kNotAHeap if there is none.
std::unique_ptr<File> open_log(Storage& storage, const std::string& heap, int index, bool write);

// Reads both logs and decides what the heap is made of: the newer log, and the older one
// before it unless the newer one says that it has been applied. Writes nothing.
// FormatError kCorrupt or kTruncated where no crash can have left what is there.
RecoveredLogs recover_logs(RedoLog& log0, RedoLog& log1, const PlantedBugs& bugs);

}  // namespace plugpull
