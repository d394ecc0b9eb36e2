#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native/fams/step.h"
#include "native/process/end.h"
#include "native/process/fork.h"
#include "native/process/marks.h"
#include "native/process/steps.h"
#include "native/storage/error.h"

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

TEST_CASE("a process stands still before the chosen step, and its mark is out") {
  char name[] = "/tmp/plugpull-marks-XXXXXX";
  const int file = mkstemp(name);
  REQUIRE(file >= 0);
  const pid_t pid = fork_child();
  if (pid == 0) {
    open_marks({name, "", 0});
    mark_steps(true);
    arm_steps(2, AtStep::kHalt);
    for (int i = 0; i < 10; ++i) step("b.commit.log-synced");
    exit_now(0);
  }
  ChildLimits limits;
  limits.time_ms = 300;
  const ChildEnd end = wait_child(pid, limits);
  CHECK(end.stopped == ChildEnd::Stopped::kTime);
  char text[512] = {};
  CHECK(pread(file, text, sizeof text - 1, 0) > 0);
  CHECK(std::string(text) ==
        "s 1 b.commit.log-synced\ns 2 b.commit.log-synced\nhalt 2 b.commit.log-synced\n");
  close(file);
  unlink(name);
}

TEST_CASE("marks need places that are there") {
  CHECK_THROWS_AS(open_marks({"/no/such/port", "", 0}), OsError);
  CHECK_THROWS_AS(open_marks({"", "/dev/null", 100}), OsError);
  CHECK(!marking());
  mark("nobody hears it");
}
