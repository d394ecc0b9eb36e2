#include "native/guard/child.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace plugpull::guard {
namespace {

/** What a child that could not exec tells its parent. */
struct ExecFailure {
  int error;
  int call;
};

constexpr const char* kCalls[] = {"setsid", "prctl", "dup2", "execvp"};

[[noreturn]] void run_child(char* const* program, const Stdio& stdio, int failure_fd, pid_t guard) {
  const auto fail = [&](int call) {
    const ExecFailure failure{errno, call};
    // Nothing is left to do if even this fails: the parent then sees exit 127.
    (void)!write(failure_fd, &failure, sizeof failure);
    _exit(127);
  };
  if (setsid() < 0) fail(0);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) fail(1);
  if (getppid() != guard) _exit(127);  // the guard died before the line above
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // All three lie above 2, so none of these overwrites a source.
  if (dup2(stdio.in, 0) < 0 || dup2(stdio.out, 1) < 0 || dup2(stdio.err, 2) < 0) fail(2);
  execvp(program[0], program);
  fail(3);
  _exit(127);
}

}  // namespace

void close_all_but(int keep) {
  std::vector<int> open;
  DIR* dir = opendir("/proc/self/fd");
  if (dir == nullptr) return;
  while (const dirent* entry = readdir(dir)) {
    const int fd = std::atoi(entry->d_name);
    if (fd > 2 && fd != keep && fd != dirfd(dir)) open.push_back(fd);
  }
  closedir(dir);
  for (const int fd : open) close(fd);
}

std::string make_pipes(Pipes* pipes) {
  int in[2];
  int out[2];
  int err[2];
  if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) {
    return std::string("pipe: ") + std::strerror(errno);
  }
  pipes->theirs = {in[0], out[1], err[1]};
  pipes->ours = {in[1], out[0], err[0]};
  return "";
}

std::string take_own_stdio(Stdio* stdio) {
  stdio->in = fcntl(0, F_DUPFD_CLOEXEC, 3);
  stdio->out = fcntl(1, F_DUPFD_CLOEXEC, 3);
  stdio->err = fcntl(2, F_DUPFD_CLOEXEC, 3);
  if (stdio->in < 0 || stdio->out < 0 || stdio->err < 0) return std::string("dup: ") + std::strerror(errno);
  detach_stdio();
  return "";
}

void detach_stdio() {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  if (null > 2) close(null);
}

pid_t start_child(char* const* program, const Stdio& stdio, const char** what) {
  int failure_pipe[2];
  *what = "pipe";
  if (pipe2(failure_pipe, O_CLOEXEC) < 0) return -1;
  const pid_t guard = getpid();
  *what = "fork";
  const pid_t child = fork();
  if (child < 0) {
    const int error = errno;
    close(failure_pipe[0]);
    close(failure_pipe[1]);
    errno = error;
    return -1;
  }
  if (child == 0) run_child(program, stdio, failure_pipe[1], guard);
  close(failure_pipe[1]);
  ExecFailure failure{};
  ssize_t n;
  do {
    n = read(failure_pipe[0], &failure, sizeof failure);
  } while (n < 0 && errno == EINTR);
  close(failure_pipe[0]);
  if (n == static_cast<ssize_t>(sizeof failure)) {
    waitpid(child, nullptr, 0);
    *what = kCalls[failure.call];
    errno = failure.error;
    return -1;
  }
  return child;
}

}  // namespace plugpull::guard
