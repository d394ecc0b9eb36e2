#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace plugpull {

// What must be put right in a machine that was restored from a saved state, and shares it with others. Both
// need root and throw OsError.

// Sets the clock to so many milliseconds since 1970.
void set_clock(std::uint64_t epoch_millis);

// Mixes bytes into the kernel's random numbers, at once.
void add_entropy(const void* bytes, std::size_t count);

// What the kernel still has of its log: lines of `<level>[seconds] text`. Throws OsError.
std::string kernel_log();

}  // namespace plugpull
