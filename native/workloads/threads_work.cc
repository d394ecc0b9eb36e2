#include "native/workloads/threads_work.h"

#include <shared_mutex>
#include <stdexcept>
#include <string>

namespace plugpull {
namespace {

constexpr std::uint32_t kMostThreads = 64;

// Chris Wellons' lowbias32, a bijection.
std::uint32_t spread(std::uint32_t x) {
  x = (x ^ x >> 16) * 0x21f0aaadU;
  x = (x ^ x >> 15) * 0x735a2d97U;
  return x ^ x >> 15;
}

std::uint32_t mix(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  return spread(spread(spread(a) + b) + c);
}

}  // namespace

ThreadsWork::ThreadsWork(std::shared_ptr<Heap> heap, const ThreadsPlan& plan)
    : heap_(std::move(heap)), plan_(plan), allowed_(plan.from + 1) {
  if (plan.threads == 0 || plan.threads > kMostThreads)
    throw std::invalid_argument("threads must be 1 to 64");
  if (heap_->usable_size(plan.array) / sizeof(std::uint32_t) < plan.slots) {
    throw std::invalid_argument("the array holds fewer than " + std::to_string(plan.slots) + " slots");
  }
  try {
    for (std::uint32_t thread = 0; thread < plan.threads; ++thread) {
      threads_.emplace_back([this, thread] { write_batches(thread); });
    }
  } catch (...) {
    stop();
    throw;
  }
}

ThreadsWork::~ThreadsWork() { stop(); }

void ThreadsWork::commit(std::uint32_t k) {
  {
    std::unique_lock lock(mutex_);
    if (stopping_) throw std::logic_error("the threads are stopped");
    if (k != allowed_) {
      throw std::invalid_argument("the next commit is " + std::to_string(allowed_) + ", not " +
                                  std::to_string(k));
    }
    all_written_.wait(lock, [this] { return finished_ == plan_.threads; });
  }
  heap_->commit(
      [](void* self) {
        auto* work = static_cast<ThreadsWork*>(self);
        work->allow(work->allowed_ + 1);
      },
      this);
}

void ThreadsWork::allow(std::uint32_t k) {
  {
    const std::lock_guard lock(mutex_);
    allowed_ = k;
    finished_ = 0;
  }
  may_write_.notify_all();
}

void ThreadsWork::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  may_write_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void ThreadsWork::write_batches(std::uint32_t thread) {
  for (std::uint32_t k = plan_.from + 1;; ++k) {
    {
      std::unique_lock lock(mutex_);
      may_write_.wait(lock, [this, k] { return stopping_ || allowed_ == k; });
      if (stopping_) return;
    }
    write_batch(thread, k);
    const std::lock_guard lock(mutex_);
    if (++finished_ == plan_.threads) all_written_.notify_one();
  }
}

void ThreadsWork::write_batch(std::uint32_t thread, std::uint32_t k) {
  const std::shared_lock writing(heap_->writers());
  const auto first_of = [this](std::uint64_t t) {
    return static_cast<std::uint32_t>(std::uint64_t{plan_.slots} * t / plan_.threads);
  };
  const std::uint32_t first = first_of(thread);
  const std::uint32_t share = first_of(std::uint64_t{thread} + 1) - first;
  if (share == 0) return;
  auto* slots = reinterpret_cast<std::uint32_t*>(heap_->data() + plan_.array);
  const std::uint32_t base = mix(plan_.seed, k, thread);
  for (std::uint32_t j = 0; j < plan_.writes; ++j) {
    slots[first + spread(base + 2 * j) % share] = spread(base + 2 * j + 1);
  }
}

}  // namespace plugpull
