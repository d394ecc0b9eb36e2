#include "native/disk/outlive.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

namespace plugpull::disk {

void outlive_starter(std::initializer_list<int> kept) {
  setsid();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, 0);
  // Nor does it keep a folder in use.
  if (chdir("/") < 0) _exit(1);
  unsigned next = 0;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > next) close_range(next, number - 1, 0);
    next = number + 1;
  }
  close_range(next, ~0U, 0);
}

Fd when_gone(const char* name, const std::function<void()>& act) {
  int ends[2];
  check(pipe2(ends, O_CLOEXEC), "pipe");
  // Twice, so that it is no child of ours that somebody would have to wait for.
  const pid_t child = check(fork(), "fork");
  if (child == 0) {
    close(ends[1]);
    const pid_t grandchild = fork();
    if (grandchild != 0) _exit(grandchild < 0 ? 1 : 0);
    outlive_starter({ends[0]});
    prctl(PR_SET_NAME, name);
    char byte;
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR) continue;
    act();
    _exit(0);
  }
  close(ends[0]);
  Fd mine(ends[1]);
  int end = 0;
  while (waitpid(child, &end, 0) < 0 && errno == EINTR) continue;
  if (end != 0) fail(EAGAIN, std::string("start ") + name);
  return mine;
}

}  // namespace plugpull::disk
