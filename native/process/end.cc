#include "native/process/end.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "native/storage/error.h"

namespace plugpull {
namespace {

timer_t g_timer;
pid_t g_timer_owner = 0;  // timers are not inherited by children

void make_timer() {
  if (g_timer_owner == ::getpid()) return;
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  if (::timer_create(CLOCK_MONOTONIC, &event, &g_timer) != 0) throw OsError("timer_create", "", errno);
  g_timer_owner = ::getpid();
}

}  // namespace

void kill_self() noexcept {
  for (;;) {
    ::kill(::getpid(), SIGKILL);
    ::pause();
  }
}

void exit_now(int status) noexcept { ::_exit(status); }

void kill_after(std::uint64_t nanoseconds) {
  if (nanoseconds == 0 && g_timer_owner != ::getpid()) return;
  make_timer();
  constexpr std::uint64_t kSecond = 1'000'000'000;
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(nanoseconds / kSecond);
  when.it_value.tv_nsec = static_cast<long>(nanoseconds % kSecond);
  if (::timer_settime(g_timer, 0, &when, nullptr) != 0) throw OsError("timer_settime", "", errno);
}

}  // namespace plugpull
