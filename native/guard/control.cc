#include "native/guard/control.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace plugpull::guard {

std::optional<uint64_t> Control::take_delay() {
  const std::optional<uint64_t> delay = whole_delay_;
  whole_delay_.reset();
  return delay;
}

void Control::receive() {
  char buffer[256];
  const ssize_t n = read(fd_, buffer, sizeof buffer);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) kill_ = true;
  for (ssize_t i = 0; i < n; i++) take(buffer[i]);
}

void Control::take(char c) {
  if (in_delay_) {
    constexpr uint64_t kLongest = 86'400'000'000;  // a day, so that the sum cannot overflow
    if (c >= '0' && c <= '9') {
      if (delay_ < kLongest) delay_ = delay_ * 10 + static_cast<uint64_t>(c - '0');
    } else {
      in_delay_ = false;
      whole_delay_ = delay_;
    }
    return;
  }
  if (c == 'g') go_ = true;
  if (c == 'k') kill_ = true;
  if (c == 'd') {
    in_delay_ = true;
    delay_ = 0;
  }
}

void Control::send(const std::string& line) {
  size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t n = write(fd_, line.data() + sent, line.size() - sent);
    if (n > 0) {
      sent += static_cast<size_t>(n);
    } else if (n < 0 && errno == EAGAIN) {
      pollfd full{fd_, POLLOUT, 0};
      if (poll(&full, 1, 1000) <= 0) return;
    } else if (!(n < 0 && errno == EINTR)) {
      return;
    }
  }
}

void Control::finish(const std::string& line) {
  constexpr int kPatience = 5000;  // milliseconds
  send(line);
  if (shutdown(fd_, SHUT_WR) < 0) return;
  char ignored[256];
  pollfd open{fd_, POLLIN, 0};
  for (;;) {
    const int ready = poll(&open, 1, kPatience);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || read(fd_, ignored, sizeof ignored) <= 0) return;
  }
}

}  // namespace plugpull::guard
