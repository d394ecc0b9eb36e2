#pragma once

#include <sys/types.h>

#include <string>

namespace plugpull::guard {

/** The three standard descriptors that the program gets. */
struct Stdio {
  int in = -1;
  int out = -1;
  int err = -1;
};

/** Closes every descriptor above 2 but `keep`: an inherited one could hold another guard's pipe open. */
void close_all_but(int keep);

/** The guard's ends, to be opened by the controller through /proc, and the program's ends. */
struct Pipes {
  Stdio ours;
  Stdio theirs;
};

/** Makes the program's pipes. Returns an empty string or the reason why not. */
std::string make_pipes(Pipes* pipes);

/** Takes the guard's own standard descriptors for the program and puts /dev/null in their place. */
std::string take_own_stdio(Stdio* stdio);

/** Puts /dev/null at 0, 1 and 2. */
void detach_stdio();

/**
 * Starts the program as leader of a session and process group of its own; the kernel kills it when the guard
 * dies. Returns its pid, or -1 with errno, and `*what` names the call that failed. Waits until exec has
 * happened.
 */
pid_t start_child(char* const* program, const Stdio& stdio, const char** what);

}  // namespace plugpull::guard
