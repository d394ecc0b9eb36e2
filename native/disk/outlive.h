// For a process that has to put something away when those that work are gone.
#ifndef PLUGPULL_NATIVE_DISK_OUTLIVE_H_
#define PLUGPULL_NATIVE_DISK_OUTLIVE_H_

#include <functional>
#include <initializer_list>

#include "native/disk/files.h"

namespace plugpull::disk {

// The calling process is ended no more by a signal to its group, nor by the end of its starter, and holds no
// descriptors but `kept` (ascending): nobody waits for the end of a pipe because of it.
void outlive_starter(std::initializer_list<int> kept);

// Starts a process, named `name` (15 bytes at most), that calls `act` when this one is gone, however that
// came, and ends. It holds nothing else. Returns the descriptor whose closing lets it act. Throws
// std::system_error.
Fd when_gone(const char* name, const std::function<void()>& act);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_OUTLIVE_H_
