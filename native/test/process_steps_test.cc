#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native/fams/step.h"
#include "native/process/end.h"
#include "native/process/fork.h"
#include "native/process/steps.h"

using namespace plugpull;

TEST_CASE("steps are counted, kept and traced, and kill at the chosen one") {
  arm_steps(0);
  step("a.commit.one");
  step("a.commit.two");
  step("a.commit.one");
  CHECK(steps_passed() == std::vector<std::string>{"a.commit.one", "a.commit.two", "a.commit.one"});
  arm_steps(0);
  CHECK(steps_passed().empty());

  const pid_t pid = fork_child();
  if (pid == 0) {
    trace_steps_to(1);
    arm_steps(3);
    for (int i = 0; i < 10; ++i) step("b.recover.read");
    exit_now(0);
  }
  const ChildEnd end = wait_child(pid, {});
  CHECK(!end.exited);
  CHECK(end.status == SIGKILL);
  CHECK(end.stopped == ChildEnd::Stopped::kNo);
  // The fatal step is the last line.
  CHECK(end.output == "s 1 b.recover.read\ns 2 b.recover.read\ns 3 b.recover.read\n");
  observe_steps(nullptr);
}

TEST_CASE("the kernel kills a process after a time, unless that is taken back") {
  pid_t pid = fork_child();
  if (pid == 0) {
    kill_after(2'000'000);
    for (;;) ::pause();
  }
  CHECK(wait_child(pid, {.time_ms = 60'000}).status == SIGKILL);
  pid = fork_child();
  if (pid == 0) {
    kill_after(3'600'000'000'000);
    kill_after(0);
    exit_now(7);
  }
  const ChildEnd end = wait_child(pid, {.time_ms = 60'000});
  CHECK(end.exited);
  CHECK(end.status == 7);
}
