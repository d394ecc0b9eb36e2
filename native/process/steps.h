#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace plugpull {

// Watches the steps of commit and recovery protocols in this process: counts them, keeps
// their names, writes them to a descriptor, and kills the process at a chosen one.

// What becomes of the process at the chosen step: SIGKILL, or its threads stand still for ever, each at its
// next step, so that nothing closes its files; a mark `halt <index> <name>` goes out first.
enum class AtStep { kKill, kHalt };

// Starts to count at 0. At step number `at` (1-based; 0: never) the process ends or stands
// still, before the step takes effect.
void arm_steps(std::uint64_t at, AtStep what = AtStep::kKill);

// The steps passed since arm_steps, in order; the first million of them.
std::vector<std::string> steps_passed();

// From now on writes `s <index> <name>\n` to `fd` at each step, before it takes effect, with
// one write(2), so that a step which was fatal is the last line. -1: off.
void trace_steps_to(int fd);

// The same as marks (see marks.h), without the newline.
void mark_steps(bool on);

}  // namespace plugpull
