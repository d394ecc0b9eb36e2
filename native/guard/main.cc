// plugpull-guard owns one process tree. It starts a program, ends everything that descends from it when told
// to, when a limit is hit or when its controller dies, and says in one JSON line how the program ended.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "native/guard/child.h"
#include "native/guard/control.h"
#include "native/guard/options.h"
#include "native/guard/report.h"
#include "native/guard/supervisor.h"

namespace plugpull::guard {
namespace {

constexpr int kUsageExit = 64;

/** Blocks the signals that we read from a descriptor instead, and returns it. */
int signal_descriptor() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  // An ignored SIGCHLD would be inherited, and the kernel would then reap our children itself.
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/** Announces the pipes and waits until the controller has opened them. False if it is gone or wants no start.
 */
bool hand_over(const Stdio& ours, Control* control, int signals) {
  control->send("{\"type\":\"ready\",\"pid\":" + std::to_string(getpid()) +
                ",\"stdin\":" + std::to_string(ours.in) + ",\"stdout\":" + std::to_string(ours.out) +
                ",\"stderr\":" + std::to_string(ours.err) + "}\n");
  while (!control->go() && !control->kill()) {
    pollfd fds[] = {{control->fd(), POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return false;
    if (fds[1].revents != 0) return false;
    if (fds[0].revents != 0) control->receive();
  }
  for (const int fd : {ours.in, ours.out, ours.err}) close(fd);
  return control->go();
}

int run(const Options& options) {
  close_all_but(options.control);
  fcntl(options.control, F_SETFD, FD_CLOEXEC);
  // Out of the controller's session: a signal to its process group or terminal must not take the guard alone.
  setsid();
  const int signals = signal_descriptor();
  Control control(options.control);
  const auto fail = [&control](const std::string& what, int error) {
    control.finish(failure_json(what, error));
    return 0;
  };
  if (signals < 0) return fail("signalfd", errno);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) return fail("prctl", errno);

  Stdio stdio;
  if (options.pipes) {
    detach_stdio();
    Pipes pipes;
    if (const std::string error = make_pipes(&pipes); !error.empty()) return fail(error, errno);
    stdio = pipes.theirs;
    if (!hand_over(pipes.ours, &control, signals)) return fail("stopped before the start", ECANCELED);
  } else if (const std::string error = take_own_stdio(&stdio); !error.empty()) {
    return fail(error, errno);
  }

  const char* what = nullptr;
  const pid_t child = start_child(options.program, stdio, &what);
  if (child < 0) return fail(std::string(what) + " " + options.program[0], errno);
  // Only the program's tree may hold these, so that whoever reads them sees their end with the tree's.
  close(stdio.out);
  close(stdio.err);
  Supervisor supervisor(options, &control, signals, child, stdio.in);
  // Where that is allowed, ahead of a program that keeps every core busy. Only after the fork: it is not for
  // the program.
  (void)setpriority(PRIO_PROCESS, 0, -10);
  const Report report = supervisor.watch();
  control.finish(to_json(report));
  if (!report.survivors.empty()) supervisor.hunt_survivors();
  return 0;
}

}  // namespace
}  // namespace plugpull::guard

int main(int argc, char** argv) {
  plugpull::guard::Options options;
  const std::string error = plugpull::guard::parse_options(argc, argv, &options);
  if (!error.empty()) {
    std::fprintf(stderr, "plugpull-guard: %s\n%s", error.c_str(), plugpull::guard::kUsage);
    return plugpull::guard::kUsageExit;
  }
  return plugpull::guard::run(options);
}
