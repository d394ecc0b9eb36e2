#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace plugpull {

// Watches the steps of commit and recovery protocols in this process: counts them, keeps
// their names, writes them to a descriptor, and kills the process at a chosen one.

// Starts to count at 0. At step number `kill_at` (1-based; 0: never) the process kills
// itself with SIGKILL, before the step takes effect.
void arm_steps(std::uint64_t kill_at);

// The steps passed since arm_steps, in order; the first million of them.
std::vector<std::string> steps_passed();

// From now on writes `s <index> <name>\n` to `fd` at each step, before it takes effect, with
// one write(2), so that a step which was fatal is the last line. -1: off.
void trace_steps_to(int fd);

}  // namespace plugpull
