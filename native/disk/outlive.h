// For a process that has to put something away when those that work are gone.
#ifndef PLUGPULL_NATIVE_DISK_OUTLIVE_H_
#define PLUGPULL_NATIVE_DISK_OUTLIVE_H_

#include <initializer_list>

namespace plugpull::disk {

// The calling process is ended no more by a signal to its group, nor by the end of its starter, and holds no
// descriptors but `kept` (ascending): nobody waits for the end of a pipe because of it.
void outlive_starter(std::initializer_list<int> kept);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_OUTLIVE_H_
