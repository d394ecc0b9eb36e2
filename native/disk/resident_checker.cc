#include "native/disk/resident_checker.h"

#include <fcntl.h>
#include <poll.h>

#include <cerrno>

#include "native/disk/served_disk.h"

namespace plugpull::disk {

namespace {

// Opened for both, so that opening waits for nobody, and its end is no end of input.
Fd open_pipe(const std::string& path) {
  return Fd(check(open(path.c_str(), O_RDWR | O_CLOEXEC), "open " + path));
}

}  // namespace

ResidentChecker::ResidentChecker(const std::string& folder)
    : requests_(open_pipe(folder + "/requests")),
      answers_(open_pipe(folder + "/answers")),
      lines_(answers_.get()) {}

ResidentChecker::End ResidentChecker::check(const std::string& folder, int millis, LineReader& control,
                                            std::string* answer) {
  const std::string request = folder + "\n";
  write_all(requests_.get(), request.data(), request.size(), "ask the checker");
  const uint64_t until = now_micros() + static_cast<uint64_t>(millis) * 1000;
  while (!lines_.next(answer)) {
    const uint64_t now = now_micros();
    if (now >= until) return End::kLate;
    pollfd fds[] = {{answers_.get(), POLLIN, 0}, {control.fd(), POLLIN, 0}};
    if (poll(fds, 2, static_cast<int>((until - now + 999) / 1000)) < 0 && errno != EINTR)
      fail(errno, "wait for the checker");
    if (fds[0].revents != 0) {
      if (!lines_.fill()) return End::kStopped;
    } else if (fds[1].revents != 0 && (!control.fill() || control.has("stop"))) {
      return End::kStopped;
    }
  }
  return End::kAnswered;
}

}  // namespace plugpull::disk
