#include "native/guard/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace plugpull::guard {
namespace {

/** How often memory and the number of processes are looked at. */
constexpr uint64_t kLookEvery = 20'000;

/** How long survivors are hunted after they were reported, in microseconds. */
constexpr uint64_t kHuntFor = 600'000'000;

}  // namespace

uint64_t now_micros() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

Supervisor::Supervisor(const Options& options, Control* control, int signals, pid_t main, int stdin_read_end)
    : options_(options),
      control_(control),
      signals_(signals),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      main_(main),
      stdin_read_end_(stdin_read_end),
      started_(now_micros()),
      next_look_(started_ + kLookEvery) {}

Supervisor::~Supervisor() {
  if (timer_ >= 0) close(timer_);
}

Report Supervisor::watch() {
  if (const auto delay = control_->take_delay()) arm_delayed_kill(*delay);
  while (!must_kill_ && !control_->kill() && reap_orphans()) {
    wait_for_event();
  }
  kill_tree();
  int unread = 0;
  if (stdin_read_end_ >= 0 && ioctl(stdin_read_end_, FIONREAD, &unread) == 0) report_.unread = unread;
  return report_;
}

/** Reaps what was orphaned to us. False once the main child has ended; it stays a zombie, so that its number
 * is not used again. */
bool Supervisor::reap_orphans() {
  for (;;) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    if (info.si_pid == 0) return true;
    if (info.si_pid == main_) return false;
    waitpid(info.si_pid, nullptr, 0);
  }
}

void Supervisor::wait_for_event() {
  const uint64_t now = now_micros();
  uint64_t wake = next_look_;
  if (options_.time_max > 0) wake = std::min(wake, started_ + options_.time_max * 1000);
  const uint64_t wait = wake > now ? wake - now : 0;
  const timespec timeout{static_cast<time_t>(wait / 1'000'000), static_cast<long>(wait % 1'000'000) * 1000};
  pollfd fds[] = {{control_->fd(), POLLIN, 0}, {signals_, POLLIN, 0}, {timer_, POLLIN, 0}};
  if (ppoll(fds, 3, &timeout, nullptr) < 0 && errno != EINTR) must_kill_ = true;
  if (fds[2].revents != 0) must_kill_ = true;
  if (fds[0].revents != 0) {
    control_->receive();
    if (const auto delay = control_->take_delay()) arm_delayed_kill(*delay);
  }
  if (fds[1].revents != 0) drain_signals();
  check_limits();
}

void Supervisor::drain_signals() {
  signalfd_siginfo info{};
  while (read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo != SIGCHLD) must_kill_ = true;  // somebody asks us to stop: nothing may stay behind
  }
}

void Supervisor::arm_delayed_kill(uint64_t micros) {
  if (micros == 0) {
    must_kill_ = true;
    return;
  }
  const itimerspec at{
      {0, 0}, {static_cast<time_t>(micros / 1'000'000), static_cast<long>(micros % 1'000'000) * 1000}};
  if (timerfd_settime(timer_, 0, &at, nullptr) < 0) must_kill_ = true;
}

void Supervisor::check_limits() {
  const uint64_t now = now_micros();
  if (options_.time_max > 0 && now >= started_ + options_.time_max * 1000) report_.stopped = "time";
  if (report_.stopped == nullptr && now >= next_look_) {
    uint64_t memory = 0;
    uint64_t processes = 0;
    descendants(getpid(), [&](pid_t pid) {
      memory += memory_of(pid);
      // Too many already: every moment that we go on counting, there are more.
      return options_.processes_max == 0 || ++processes <= options_.processes_max;
    });
    report_.max_memory = std::max(report_.max_memory, memory);
    if (options_.memory_max > 0 && memory > options_.memory_max) report_.stopped = "memory";
    if (options_.processes_max > 0 && processes > options_.processes_max) report_.stopped = "processes";
    // A large tree takes long to look at; never spend more than a tenth of the time on it.
    const uint64_t after = now_micros();
    next_look_ = after + std::max(kLookEvery, 10 * (after - now));
  }
  if (report_.stopped != nullptr) must_kill_ = true;
}

bool Supervisor::main_has_ended() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(main_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == main_;
}

/**
 * Ends every process of the tree. The main child is not reaped before its group was signalled: until then its
 * number cannot belong to anybody else. Those in other groups are found by their parents; what is orphaned
 * comes to us, so a process that forks while we look is found in one of the next rounds.
 */
void Supervisor::kill_tree() {
  const bool ended = main_has_ended();
  if (ended) {
    for (const pid_t pid : descendants(getpid())) note_leftover(pid);
  } else {
    killed_main_ = true;
  }
  kill(-main_, SIGKILL);
  const uint64_t give_up = now_micros() + options_.kill_max * 1000;
  while (reap_all()) {
    const std::vector<pid_t> tree = kill_all();
    if (now_micros() >= give_up) {
      report_.survivors = tree;
      return;
    }
    pause_for_end(1);
  }
}

/** Signals every descendant once. Returns those that were found. */
std::vector<pid_t> Supervisor::kill_all() {
  return descendants(getpid(), [this](pid_t pid) {
    note_leftover(pid);
    kill(pid, SIGKILL);
    return true;
  });
}

/** Waits until a child has ended, or so long. */
void Supervisor::pause_for_end(uint64_t millis) {
  pollfd ended_child{signals_, POLLIN, 0};
  poll(&ended_child, 1, static_cast<int>(millis));
  drain_signals();
}

void Supervisor::hunt_survivors() {
  const uint64_t give_up = now_micros() + kHuntFor;
  uint64_t pause = 1;
  while (reap_all() && now_micros() < give_up) {
    kill_all();
    pause_for_end(pause);
    pause = std::min<uint64_t>(2 * pause, 1000);
  }
}

/** Notes a live process that the main child left behind, or that stood outside its group when we killed. */
void Supervisor::note_leftover(pid_t pid) {
  Process process;
  if (pid == main_ || noted_.contains(pid) || !read_process(pid, &process) || process.dead()) return;
  if (killed_main_ && process.group == main_) return;
  noted_.insert(pid);
  report_.leftover_count++;
  if (report_.leftovers.size() < Report::kNamed) report_.leftovers.push_back(process);
}

/** Reaps all that have ended. False once no child is left. */
bool Supervisor::reap_all() {
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t pid = wait4(-1, &status, WNOHANG, &usage);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) return false;
    if (pid == 0) return true;
    if (pid != main_) continue;
    report_.micros = now_micros() - started_;
    report_.max_rss = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
    if (WIFEXITED(status)) report_.exit = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) report_.signal = WTERMSIG(status);
    report_.killed = killed_main_ && report_.signal == SIGKILL;
  }
}

}  // namespace plugpull::guard
