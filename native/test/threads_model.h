#pragma once
#include <cstdint>
#include <vector>

#include "native/heap/heap.h"
#include "native/workloads/threads_work.h"

namespace plugpull::test {

// The slots after batch `last`, written from the description in threads_work.h alone.
inline std::vector<std::uint32_t> modelled_slots(const ThreadsPlan& plan, std::uint32_t last) {
  const auto spread = [](std::uint32_t x) {
    x ^= x >> 16;
    x *= 0x21f0aaadU;
    x ^= x >> 15;
    x *= 0x735a2d97U;
    x ^= x >> 15;
    return x;
  };
  std::vector<std::uint32_t> slots(plan.slots);
  for (std::uint32_t k = plan.from + 1; k <= last; ++k) {
    for (std::uint64_t t = 0; t < plan.threads; ++t) {
      const std::uint64_t first = plan.slots * t / plan.threads;
      const std::uint64_t share = plan.slots * (t + 1) / plan.threads - first;
      if (share == 0) continue;
      const std::uint32_t base = spread(spread(spread(plan.seed) + k) + static_cast<std::uint32_t>(t));
      for (std::uint32_t j = 0; j < plan.writes; ++j) {
        slots[first + spread(base + 2 * j) % share] = spread(base + 2 * j + 1);
      }
    }
  }
  return slots;
}

inline std::vector<std::uint32_t> read_slots(const Heap& heap, const ThreadsPlan& plan) {
  const auto* slots = reinterpret_cast<const std::uint32_t*>(heap.data() + plan.array);
  return {slots, slots + plan.slots};
}

}  // namespace plugpull::test
