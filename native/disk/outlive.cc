#include "native/disk/outlive.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

namespace plugpull::disk {

void outlive_starter(std::initializer_list<int> kept) {
  setsid();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, 0);
  unsigned next = 0;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > next) close_range(next, number - 1, 0);
    next = number + 1;
  }
  close_range(next, ~0U, 0);
}

}  // namespace plugpull::disk
