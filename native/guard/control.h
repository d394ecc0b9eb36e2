#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace plugpull::guard {

/**
 * The controller's end: a socket or any other descriptor open for reading and writing. It sends
 * `g` (start; only awaited with --pipes), `k` (kill the tree now) and `d<microseconds>\n` (kill it after that
 * time; counted from the program's start if that is still to come). End of file means that the controller is
 * gone.
 */
class Control {
 public:
  explicit Control(int fd) : fd_(fd) {}

  int fd() const { return fd_; }
  bool go() const { return go_; }
  /** Must the tree die: asked for, or the controller is gone? */
  bool kill() const { return kill_; }
  /** A delay that was received since the last call. */
  std::optional<uint64_t> take_delay();

  /** Reads what has come; waits if nothing has. */
  void receive();

  /** Sends a whole line. A controller that is gone is no error. */
  void send(const std::string& line);

  /**
   * Sends the last line, and waits a while for the controller to close its end: a command that it sends
   * meanwhile would else meet a closed socket, and the error could overtake the line.
   */
  void finish(const std::string& line);

 private:
  void take(char c);

  int fd_;
  bool go_ = false;
  bool kill_ = false;
  bool in_delay_ = false;
  uint64_t delay_ = 0;
  std::optional<uint64_t> whole_delay_;
};

}  // namespace plugpull::guard
