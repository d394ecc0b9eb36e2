// Loop devices: a file as a block device.
#ifndef PLUGPULL_NATIVE_DISK_LOOP_H_
#define PLUGPULL_NATIVE_DISK_LOOP_H_

#include <sys/types.h>

#include <string>

#include "native/disk/files.h"

namespace plugpull::disk {

struct Loop {
  std::string path;
  // As the kernel's tracepoints and major()/minor() name it.
  unsigned major = 0;
  unsigned minor = 0;
  // Held open until somebody else (a mount) holds the device.
  Fd held;
};

// Attaches `backing` to a free loop device. `direct`: direct I/O on the file. `autoclear`: the device is
// given back when its last user closes it. Throws std::system_error.
Loop attach_loop(int backing, bool direct, bool autoclear);

// Gives back the device, at once or (if in use) when its last user closes it; does nothing if it is not
// backed by the file with this device and inode number. Never throws.
void detach_loop(const std::string& path, dev_t device, ino_t inode) noexcept;

// Gives back what explorers of ours that are gone have left attached, because whatever killed them killed
// those too that would have given it back. Never throws.
void sweep_loops() noexcept;

// Starts a process that outlives this one by a moment: when this one is gone, however that came, it gives
// back the loop device. It holds nothing else. Returns the descriptor whose closing lets it act.
Fd guard_loop(const Loop& loop, int backing);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_LOOP_H_
