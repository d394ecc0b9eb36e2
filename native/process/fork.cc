#include "native/process/fork.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <stdexcept>

#include "native/process/descriptor.h"
#include "native/storage/error.h"

namespace plugpull {
namespace {

// What this process reads of its children. A child forgets its parent's.
std::map<pid_t, Descriptor>& result_pipes() {
  static auto* const pipes = new std::map<pid_t, Descriptor>;
  return *pipes;
}

std::string read_whole(const char* path) {
  const Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) throw OsError("open", path, errno);
  std::string text;
  char chunk[16384];
  for (;;) {
    const ssize_t count = ::read(file.get(), chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw OsError("read", path, errno);
    if (count == 0) return text;
    text.append(chunk, static_cast<std::size_t>(count));
  }
}

// Makes all anonymous memory visible in children. The kernel's own mappings ([vdso], [vvar]) do not
// take the advice, and need none.
void let_children_see_memory() {
  const std::string maps = read_whole("/proc/self/maps");
  std::uintptr_t run_start = 0;
  std::uintptr_t run_end = 0;
  const auto advise = [&] {
    if (run_end > run_start) ::madvise(reinterpret_cast<void*>(run_start), run_end - run_start, MADV_DOFORK);
  };
  for (std::size_t line = 0; line < maps.size();) {
    const std::size_t next = std::min(maps.find('\n', line), maps.size() - 1) + 1;
    unsigned long start = 0;
    unsigned long end = 0;
    unsigned long inode = 1;
    char name[4] = {};
    const std::string text = maps.substr(line, next - line);
    const int fields = std::sscanf(text.c_str(), "%lx-%lx %*s %*s %*s %lu %3s", &start, &end, &inode, name);
    line = next;
    if (fields < 3 || inode != 0 || std::strcmp(name, "[vd") == 0 || std::strcmp(name, "[vv") == 0) continue;
    if (start == run_end) {
      run_end = end;
      continue;
    }
    advise();
    run_start = start;
    run_end = end;
  }
  advise();
}

// Nothing here may throw or return on failure: the child must not go on as a second parent.
void become_child(pid_t parent, int result) {
  const auto must = [](bool good) {
    if (!good) ::_exit(70);
  };
  must(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  if (::getppid() != parent) ::_exit(70);  // it died before it could take us with it
  ::setpgid(0, 0);                         // the parent does the same; who comes first does not matter
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  must(nothing >= 0 && ::dup2(nothing, 0) == 0 && ::dup2(result, 1) == 1);
  ::close(nothing);
  result_pipes().clear();
}

std::uint64_t milliseconds_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

std::uint64_t resident_bytes(pid_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/statm", static_cast<int>(pid));
  const Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
  char text[128] = {};
  if (!file || ::read(file.get(), text, sizeof text - 1) <= 0) return 0;  // it ended in between
  unsigned long pages = 0;
  if (std::sscanf(text, "%*u %lu", &pages) != 1) return 0;
  return std::uint64_t{pages} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

class Wait {
 public:
  Wait(pid_t pid, Descriptor output, const ChildLimits& limits)
      : pid_(pid), output_(std::move(output)), limits_(limits), started_(milliseconds_now()) {}

  ChildEnd run() {
    const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!process) throw OsError("pidfd_open", std::to_string(pid_), errno);
    while (!ended(process)) {
    }
    // It is a zombie now and keeps its number, so that nobody else's group can be hit.
    ::kill(-pid_, SIGKILL);
    drain();
    reap();
    return std::move(end_);
  }

 private:
  static constexpr int kTick = 20;  // ms between two looks at memory and time

  bool ended(const Descriptor& process) {
    pollfd watched[2] = {{process.get(), POLLIN, 0}, {output_ ? output_.get() : -1, POLLIN, 0}};
    const bool limited = limits_.time_ms != 0 || limits_.rss_bytes != 0;
    if (::poll(watched, 2, limited ? kTick : -1) < 0 && errno != EINTR) {
      throw OsError("poll", std::to_string(pid_), errno);
    }
    if (watched[1].revents != 0) drain();
    if ((watched[0].revents & POLLIN) != 0) return true;
    if (limits_.time_ms != 0 && milliseconds_now() - started_ >= limits_.time_ms)
      stop(ChildEnd::Stopped::kTime);
    if (limits_.rss_bytes != 0 && milliseconds_now() >= next_look_) {
      next_look_ = milliseconds_now() + kTick;
      if (resident_bytes(pid_) > limits_.rss_bytes) stop(ChildEnd::Stopped::kMemory);
    }
    return false;
  }

  void stop(ChildEnd::Stopped why) {
    if (end_.stopped == ChildEnd::Stopped::kNo) end_.stopped = why;
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
  }

  // Reads what is there; the pipe does not block.
  void drain() {
    char chunk[65536];
    while (output_) {
      const ssize_t count = ::read(output_.get(), chunk, sizeof chunk);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) {
        output_.reset();
        return;
      }
      std::size_t keep = static_cast<std::size_t>(count);
      if (limits_.output_bytes != 0 && end_.output.size() + keep > limits_.output_bytes) {
        keep = limits_.output_bytes - end_.output.size();
        stop(ChildEnd::Stopped::kOutput);
      }
      end_.output.append(chunk, keep);
    }
  }

  void reap() {
    int status = 0;
    rusage usage{};
    while (::wait4(pid_, &status, 0, &usage) < 0) {
      if (errno != EINTR) throw OsError("wait4", std::to_string(pid_), errno);
    }
    end_.exited = WIFEXITED(status);
    end_.status = end_.exited ? WEXITSTATUS(status) : WTERMSIG(status);
    end_.max_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  }

  pid_t pid_;
  Descriptor output_;
  ChildLimits limits_;
  std::uint64_t started_;
  std::uint64_t next_look_ = 0;
  ChildEnd end_;
};

}  // namespace

pid_t fork_child() {
  let_children_see_memory();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw OsError("pipe2", "", errno);
  Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  if (::fcntl(reader.get(), F_SETFL, O_NONBLOCK) != 0) throw OsError("fcntl", "pipe", errno);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw OsError("fork", "", errno);
  if (pid == 0) {
    become_child(parent, writer.get());
    return 0;
  }
  ::setpgid(pid, pid);  // fails only where the child has done it, or is gone
  result_pipes().insert_or_assign(pid, std::move(reader));
  return pid;
}

ChildEnd wait_child(pid_t pid, const ChildLimits& limits) {
  const auto found = result_pipes().find(pid);
  if (found == result_pipes().end()) {
    throw std::invalid_argument(std::to_string(pid) + " is no child that can be waited for");
  }
  Descriptor output = std::move(found->second);
  result_pipes().erase(found);
  return Wait(pid, std::move(output), limits).run();
}

}  // namespace plugpull
