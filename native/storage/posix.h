#pragma once
#include "native/storage/storage.h"

namespace plugpull {

// The real file system. Has no state: one object serves the whole process, and its
// children after fork. Interrupted calls (EINTR) are made again, but never a flush.
Storage& posix_storage() noexcept;

}  // namespace plugpull
