#include "native/disk/owner.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

using namespace plugpull::disk;

namespace {

std::string backing(const std::string& name) { return "/memfd:" + name + " (deleted)"; }

struct Child {
  pid_t pid;
  std::string name;
};

// One that tells its name as an owner and ends.
Child told_by_child() {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string name = owner_name();
    _exit(write(ends[1], name.data(), name.size()) < 0 ? 1 : 0);
  }
  close(ends[1]);
  char name[128];
  const ssize_t size = read(ends[0], name, sizeof name);
  close(ends[0]);
  REQUIRE(size > 0);
  return {child, {name, static_cast<size_t>(size)}};
}

// Name of a process that is gone.
std::string name_of_dead() {
  const Child child = told_by_child();
  waitpid(child.pid, nullptr, 0);
  return child.name;
}

}  // namespace

TEST_CASE("an owner is gone when its process is, not before, and is not taken for another with its number") {
  CHECK(!owner_is_gone(backing(owner_name())));
  CHECK(owner_is_gone(backing(name_of_dead())));
  CHECK(owner_is_gone("/" + name_of_dead()));
  CHECK(!owner_is_gone("/" + owner_name()));
  // Our own number, as if given to us after its death.
  const std::string name = owner_name();
  const size_t start = name.find('-', std::string("plugpull-disk-").size()) + 1;
  CHECK(owner_is_gone(backing(name.substr(0, start) + "1" + name.substr(start))));
}

TEST_CASE("an owner that is dead and not buried yet is gone") {
  const Child child = told_by_child();
  siginfo_t ended;
  REQUIRE(waitid(P_PID, static_cast<id_t>(child.pid), &ended, WEXITED | WNOWAIT) == 0);
  CHECK(owner_is_gone("/" + child.name));
  waitpid(child.pid, nullptr, 0);
}

TEST_CASE("what is not surely ours to give back has no dead owner") {
  // Another PID namespace.
  CHECK(!owner_is_gone(backing(name_of_dead() + "1")));
  CHECK(!owner_is_gone("/tmp/disk.img"));
  CHECK(!owner_is_gone("/memfd:plugpull-disk-4194305 (deleted)"));
  CHECK(!owner_is_gone("/memfd:plugpull-disk-4194305-x-4 (deleted)"));
  CHECK(!owner_is_gone("/tmp" + backing(name_of_dead())));
  CHECK(!owner_is_gone("/tmp/" + name_of_dead()));
}
