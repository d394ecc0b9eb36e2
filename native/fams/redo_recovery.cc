#include "native/fams/redo_recovery.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "native/storage/error.h"

namespace plugpull {
namespace {

[[noreturn]] void throw_corrupt(RedoLog& log, const std::string& what) {
  throw FormatError(FormatError::Kind::kCorrupt, log.file().path(), what);
}

void check_length(RedoLog& log) {
  if (log.file().size() >= log.header().log_pages * kPageSize) return;
  throw FormatError(FormatError::Kind::kTruncated, log.file().path(), "the log is cut short");
}

int newer_log(std::uint64_t generation0, std::uint64_t generation1, const PlantedBugs& bugs) {
  if (bugs.has(Bug::kRedoGenerationsInverted)) std::swap(generation0, generation1);
  if (bugs.has(Bug::kRedoGenerationWraps)) return generation0 % 2 > generation1 % 2 ? 0 : 1;
  return generation0 > generation1 ? 0 : 1;
}

}  // namespace

std::string log_name(const std::string& heap, int index) { return heap + ".log" + std::to_string(index); }

std::unique_ptr<File> open_log(Storage& storage, const std::string& heap, int index, bool write) {
  try {
    return storage.open(log_name(heap, index), {.write = write});
  } catch (const OsError& error) {
    if (error.error() != ENOENT) throw;
    throw FormatError(FormatError::Kind::kNotAHeap, heap,
                      "its log " + log_name(heap, index) + " is missing: not a heap of the backend redo");
  }
}

std::uint64_t RecoveredLogs::from_file(File& heap, const RedoLog& active, const RedoLog& other) const {
  std::uint64_t cut = active.content().cut;
  if (other_pending) cut = std::min(cut, other.content().cut);
  if (heap.size() < cut) {
    throw FormatError(
        FormatError::Kind::kTruncated, heap.path(),
        "the file has " + std::to_string(heap.size()) + " bytes, its logs speak of " + std::to_string(cut));
  }
  return cut;
}

RecoveredLogs recover_logs(RedoLog& log0, RedoLog& log1, const PlantedBugs& bugs) {
  log0.load();
  log1.load();
  if (!log0.valid() && !log1.valid()) throw_corrupt(log0, "neither log has a valid header for this heap");
  RecoveredLogs result;
  if (log0.valid() && log1.valid()) {
    if (log0.header().generation == log1.header().generation) throw_corrupt(log1, "both logs are the same");
    result.newest = newer_log(log0.header().generation, log1.header().generation, bugs);
  } else {
    result.newest = log0.valid() ? 0 : 1;
  }
  RedoLog& newer = result.newest == 0 ? log0 : log1;
  RedoLog& older = result.newest == 0 ? log1 : log0;
  check_length(newer);
  if (!newer.applied() && !bugs.has(Bug::kRedoOlderLogIgnored)) {
    if (!older.valid()) throw_corrupt(older, "its header is not valid, and the log is needed");
    if (older.header().generation + 1 != newer.header().generation || !older.applied()) {
      throw_corrupt(older, "it does not precede the other log, and neither is applied");
    }
    check_length(older);
    older.read_records(bugs);
    if (older.next_sequence() != newer.header().first) {
      throw_corrupt(older, "it ends with commit " + std::to_string(older.next_sequence() - 1) +
                               ", the other log begins with " + std::to_string(newer.header().first));
    }
    if (older.content().size != newer.header().base_size)
      throw_corrupt(older, "the logs disagree about the size");
    result.other_pending = true;
  }
  newer.read_records(bugs);
  // A header is one sector and cannot be torn. One that is not valid is the rest of a
  // creation or of a device that tears sectors, unless there is a whole record behind it.
  if (!older.valid() && older.has_first_record(newer.header().generation + 1, newer.next_sequence())) {
    throw_corrupt(older, "its header is damaged, and commits follow it");
  }
  return result;
}

}  // namespace plugpull
