#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "native/process/end.h"
#include "native/process/fork.h"

using namespace plugpull;

namespace {

template <typename Body>
ChildEnd in_child(Body body, const ChildLimits& limits = {.time_ms = 60'000}) {
  const pid_t pid = fork_child();
  if (pid == 0) {
    body();
    exit_now(0);
  }
  return wait_child(pid, limits);
}

void say(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(1, text.data() + done, text.size() - done);
    if (count <= 0) exit_now(71);
    done += static_cast<std::size_t>(count);
  }
}

}  // namespace

TEST_CASE("a child's output and end reach its parent") {
  const ChildEnd end = in_child([] {
    char byte = 0;
    if (::read(0, &byte, 1) != 0) exit_now(72);  // stdin is empty
    if (::getpgrp() != ::getpid()) exit_now(73);
    say(std::string(300'000, 'x'));  // more than a pipe holds
    exit_now(5);
  });
  CHECK(end.exited);
  CHECK(end.status == 5);
  CHECK(end.output == std::string(300'000, 'x'));
  CHECK(end.max_rss_bytes > 0);
  CHECK(in_child([] { ::raise(SIGTERM); }).status == SIGTERM);
}

TEST_CASE("memory that is hidden from children is shown to them") {
  const std::size_t length = 3 << 20;
  auto* memory =
      static_cast<char*>(::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(memory != MAP_FAILED);
  std::memset(memory, 'm', length);
  REQUIRE(::madvise(memory, length, MADV_DONTFORK) == 0);
  const ChildEnd end = in_child([&] { say(std::string(memory + length - 3, 3)); });
  CHECK(end.exited);
  CHECK(end.output == "mmm");
  ::munmap(memory, length);
}

TEST_CASE("limits stop a child") {
  const ChildEnd slow = in_child([] { ::pause(); }, {.time_ms = 50});
  CHECK(slow.stopped == ChildEnd::Stopped::kTime);
  CHECK(slow.status == SIGKILL);
  const ChildEnd loud = in_child(
      [] {
        for (;;) say("0123456789");
      },
      {.output_bytes = 12'345});
  CHECK(loud.stopped == ChildEnd::Stopped::kOutput);
  CHECK(loud.output.size() == 12'345);
  const ChildEnd hungry = in_child(
      [] {
        for (;;) {
          std::vector<char>* leak = new std::vector<char>(8 << 20, 1);
          if (leak->empty()) exit_now(1);
          ::usleep(1000);
        }
      },
      {.time_ms = 60'000, .rss_bytes = 600 << 20});
  CHECK(hungry.stopped == ChildEnd::Stopped::kMemory);
  const ChildEnd silent = in_child([] {
    ::close(1);
    ::usleep(1000);
    exit_now(9);
  });
  CHECK(silent.status == 9);
}

TEST_CASE("nothing of a child's group outlives it") {
  const ChildEnd end = in_child([] {
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      for (;;) ::pause();
    }
    say(std::to_string(grandchild));
  });
  CHECK(end.exited);
  const pid_t grandchild = std::stoi(end.output);
  // It is dying, or dead and not yet collected by init.
  bool gone = false;
  for (int i = 0; i < 2000 && !gone; ++i) {
    const std::string stat = "/proc/" + std::to_string(grandchild) + "/stat";
    char text[256] = {};
    FILE* file = std::fopen(stat.c_str(), "r");
    gone = file == nullptr || std::fgets(text, sizeof text, file) == nullptr ||
           std::strstr(text, ") Z") != nullptr;
    if (file != nullptr) std::fclose(file);
    if (!gone) ::usleep(1000);
  }
  CHECK(gone);
}

TEST_CASE("several children at once, waited for in any order, each once") {
  std::vector<pid_t> children;
  for (int i = 0; i < 5; ++i) {
    const pid_t pid = fork_child();
    if (pid == 0) {
      say(std::to_string(i));
      exit_now(i);
    }
    children.push_back(pid);
  }
  for (int i = 4; i >= 0; --i) {
    const ChildEnd end = wait_child(children[static_cast<std::size_t>(i)], {});
    CHECK(end.status == i);
    CHECK(end.output == std::to_string(i));
  }
  CHECK_THROWS_AS(wait_child(children[0], {}), std::invalid_argument);
  CHECK_THROWS_AS(wait_child(1, {}), std::invalid_argument);
}
