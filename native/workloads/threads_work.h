#pragma once
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "native/heap/heap.h"

namespace plugpull {

struct ThreadsPlan {
  std::uint32_t threads = 1;  // 1 … 64
  std::uint32_t slots = 0;    // of 4 bytes each
  Offset array = 0;           // a block of at least slots × 4 bytes
  std::uint32_t seed = 0;     // a larger one counts modulo 2^32
  std::uint32_t writes = 16;  // that each thread makes in a batch
  std::uint32_t from = 0;     // the commit whose state the array holds
};

// Threads that write the slots of one array at the same time, each its own share, while another thread
// commits: the writers of batch k + 1 run while batch k is flushed.
//
// All is 32-bit arithmetic, so that a model in another language can follow it.
//   spread(x): x ^= x >> 16; x *= 0x21f0aaad; x ^= x >> 15; x *= 0x735a2d97; x ^= x >> 15
//   mix(a, b, c) = spread(spread(spread(a) + b) + c)
// Thread t of n owns slots first = floor(slots × t / n) up to floor(slots × (t + 1) / n). Its batch k
// makes `writes` writes, j = 0, 1, …, one after the other:
//   base = mix(seed, k, t)
//   slot[first + spread(base + 2j) mod share] = spread(base + 2j + 1)
// A thread whose share is empty writes nothing.
class ThreadsWork {
 public:
  // Starts the threads, which begin with batch plan.from + 1. std::invalid_argument for a wrong plan.
  ThreadsWork(std::shared_ptr<Heap> heap, const ThreadsPlan& plan);
  ~ThreadsWork();

  // Waits for batch k of all threads and commits it; they go on with batch k + 1 as soon as the
  // commit has captured its pages. k must be the batch that comes next. Throws what the heap's commit throws.
  void commit(std::uint32_t k);
  // Ends the threads, each after its batch. The heap then holds changes that no commit has.
  void stop();

 private:
  void write_batches(std::uint32_t thread);
  void write_batch(std::uint32_t thread, std::uint32_t k);
  void allow(std::uint32_t k);

  std::shared_ptr<Heap> heap_;
  ThreadsPlan plan_;
  std::mutex mutex_;
  std::condition_variable may_write_;
  std::condition_variable all_written_;
  std::uint32_t allowed_;       // newest batch that may be written
  std::uint32_t finished_ = 0;  // threads that are done with it
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace plugpull
