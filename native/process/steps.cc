#include "native/process/steps.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>

#include "native/fams/step.h"
#include "native/process/end.h"
#include "native/process/marks.h"

namespace plugpull {
namespace {

constexpr std::size_t kMostKept = 1'000'000;

class Watcher final : public StepObserver {
 public:
  // Steps come from the thread that commits and from a backend's own thread.
  void at(std::string_view step) override {
    const std::lock_guard lock(mutex_);
    ++count_;
    if (trace_ >= 0 || marked_) trace(step);
    if (count_ == stop_at_) stop(step);
    if (passed_.size() < kMostKept) passed_.push_back(intern(step));
  }

  void arm(std::uint64_t at, AtStep what) {
    const std::lock_guard lock(mutex_);
    count_ = 0;
    stop_at_ = at;
    at_step_ = what;
    passed_.clear();
  }

  void trace_to(int fd) {
    const std::lock_guard lock(mutex_);
    trace_ = fd;
  }

  void mark(bool on) {
    const std::lock_guard lock(mutex_);
    marked_ = on;
  }

  std::vector<std::string> passed() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    names.reserve(passed_.size());
    for (const std::string_view name : passed_) names.emplace_back(name);
    return names;
  }

 private:
  // A million steps have a few dozen names.
  std::string_view intern(std::string_view step) {
    const auto known = names_.find(step);
    if (known != names_.end()) return known->first;
    return names_.emplace(step, true).first->first;
  }

  [[noreturn]] void stop(std::string_view step) const {
    if (at_step_ == AtStep::kKill) kill_self();
    mark_quietly("halt " + std::to_string(count_) + ' ' + std::string(step));
    for (;;) ::pause();  // with the lock, at which the other threads stop
  }

  void trace(std::string_view step) const {
    char line[128];
    char* end = line;
    *end++ = 's';
    *end++ = ' ';
    end = std::to_chars(end, line + 24, count_).ptr;
    *end++ = ' ';
    const std::size_t length = std::min(step.size(), sizeof line - 32);
    std::memcpy(end, step.data(), length);
    end += length;
    if (marked_) mark_quietly({line, static_cast<std::size_t>(end - line)});
    if (trace_ < 0) return;
    *end++ = '\n';
    // A reader that is gone must not change what the step does.
    while (::write(trace_, line, static_cast<std::size_t>(end - line)) < 0 && errno == EINTR) {
    }
  }

  std::mutex mutex_;
  std::uint64_t count_ = 0;
  std::uint64_t stop_at_ = 0;
  AtStep at_step_ = AtStep::kKill;
  int trace_ = -1;
  bool marked_ = false;
  std::vector<std::string_view> passed_;
  std::map<std::string, bool, std::less<>> names_;
};

Watcher& watcher() {
  static Watcher* const instance = new Watcher;  // never destroyed: threads may outlive main()
  return *instance;
}

}  // namespace

void arm_steps(std::uint64_t at, AtStep what) {
  watcher().arm(at, what);
  observe_steps(&watcher());
}

std::vector<std::string> steps_passed() { return watcher().passed(); }

void trace_steps_to(int fd) {
  watcher().trace_to(fd);
  if (fd >= 0) observe_steps(&watcher());
}

void mark_steps(bool on) {
  watcher().mark(on);
  if (on) observe_steps(&watcher());
}

}  // namespace plugpull
