// The recording disk: a FUSE file system with one file `disk`, to be attached as a loop device with direct
// I/O, and one file `mark`, every write to which becomes a mark in the trace.
#ifndef PLUGPULL_NATIVE_DISK_RECORDER_H_
#define PLUGPULL_NATIVE_DISK_RECORDER_H_

#include <cstdint>
#include <string>

namespace plugpull::disk {

constexpr uint64_t kNever = UINT64_MAX;

struct RecorderOptions {
  std::string image;  // what the disk holds at first; never changed
  std::string trace;
  std::string mount;
  // A lying disk: flushes are answered and mean nothing.
  bool lying_flush = false;
  // Writes and flushes are answered this late, so that several are under way at once, as in a real disk.
  uint64_t delay_micros = 0;
  // Faults, each from the n-th operation of its kind on (1-based).
  uint64_t eio_reads_from = kNever;
  uint64_t eio_writes_from = kNever;
  uint64_t eio_flushes_from = kNever;
  // … up to this one.
  uint64_t eio_reads_to = kNever;
  uint64_t eio_writes_to = kNever;
  uint64_t eio_flushes_to = kNever;
  // ENOSPC once so many bytes have been written.
  uint64_t full_after = kNever;
};

// Serves until standard input ends or a line `quit` comes; other lines change the faults (`lying-flush 1`,
// `delay-micros 500`, `eio-writes-after 0` …: counted from now on; `eio-writes-after 0 3`: only three fail).
// `on-mark MARK LINE` does so at the moment at which a mark is written (`_` stands for a blank in MARK).
// `hold MARK` is answered with `ok held` when that mark is written, whose writer then waits until the line
// `release` comes; or with `ok none` before the answer to `healthy`, which ends all faults.
// Prints `ready` once it serves, and at its end `done` with numbers; the last, `unlocked`, is the errno for
// which its memory could not be locked, or 0. Nothing of it stays mounted, whatever ends it. Gives the exit
// status.
int record(const RecorderOptions& options);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_RECORDER_H_
