#pragma once
#include <cstdint>

namespace plugpull {

// Ends this process with SIGKILL, as a crash would.
[[noreturn]] void kill_self() noexcept;

// Ends this process without running destructors or exit handlers.
[[noreturn]] void exit_now(int status) noexcept;

// The kernel kills this process with SIGKILL after so many nanoseconds from now; 0 takes that
// back. Works on whatever the process does then, system calls included. Throws OsError.
void kill_after(std::uint64_t nanoseconds);

}  // namespace plugpull
