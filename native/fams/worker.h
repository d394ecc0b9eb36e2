#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace plugpull {

// A thread that does one piece of work each time it is woken. Started by the first wake().
class Worker {
 public:
  // `work` must not throw.
  explicit Worker(std::function<void()> work) : work_(std::move(work)) {}
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void wake();
  void wait_until_idle();
  // After the work under way, if any.
  void stop();

 private:
  void run();

  std::function<void()> work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace plugpull
