#pragma once

#include <sys/types.h>

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "native/guard/control.h"
#include "native/guard/options.h"
#include "native/guard/report.h"

namespace plugpull::guard {

/** Monotonic time in microseconds. */
uint64_t now_micros();

/**
 * Watches a started program until it ends by itself, hits a limit, or must be killed; then kills all that is
 * left of its tree and reaps it.
 */
class Supervisor {
 public:
  /**
   * `signals` is a signalfd of SIGCHLD and the signals that ask us to stop. `stdin_read_end` is a descriptor
   * on the program's stdin, to tell what it never read.
   */
  Supervisor(const Options& options, Control* control, int signals, pid_t main, int stdin_read_end);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /** Returns when the whole tree is gone, or could not be killed in time. */
  Report watch();

  /** Goes on killing what the report named as survivors: the controller need not wait for them, but nobody
   * else would. */
  void hunt_survivors();

 private:
  void wait_for_event();
  void check_limits();
  void drain_signals();
  void arm_delayed_kill(uint64_t micros);
  bool main_has_ended() const;
  bool reap_orphans();
  void kill_tree();
  std::vector<pid_t> kill_all();
  void pause_for_end(uint64_t millis);
  void note_leftover(pid_t pid);
  bool reap_all();

  const Options& options_;
  Control* control_;
  int signals_;
  int timer_;
  pid_t main_;
  int stdin_read_end_;
  uint64_t started_;
  uint64_t next_look_;
  bool must_kill_ = false;
  bool killed_main_ = false;
  std::unordered_set<pid_t> noted_;
  Report report_;
};

}  // namespace plugpull::guard
