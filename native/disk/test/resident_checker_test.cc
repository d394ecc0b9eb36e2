#include "native/disk/resident_checker.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "native/disk/test/temporary.h"

using namespace plugpull::disk;

namespace {

// The checker's side is played by the test: answers can be there before they are asked for.
struct Fixture {
  TemporaryFolder folder;
  int control[2] = {-1, -1};
  Fd requests, answers;
  Fixture() {
    REQUIRE(mkfifo((folder / "requests").c_str(), 0600) == 0);
    REQUIRE(mkfifo((folder / "answers").c_str(), 0600) == 0);
    requests.reset(open((folder / "requests").c_str(), O_RDWR));
    answers.reset(open((folder / "answers").c_str(), O_RDWR));
    REQUIRE(pipe(control) == 0);
  }
  ~Fixture() {
    close(control[0]);
    close(control[1]);
  }
  static void say(int fd, const std::string& text) {
    REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  ResidentChecker checker() { return ResidentChecker((folder / "").c_str()); }
};

using End = ResidentChecker::End;
constexpr int kLong = 60'000;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "one answer to each folder that was asked for") {
  ResidentChecker asked = checker();
  LineReader lines(control[0]);
  std::string answer;
  say(answers.get(), "one\ntwo\n");
  CHECK(asked.check("/a b", kLong, lines, &answer) == End::kAnswered);
  CHECK(answer == "one");
  CHECK(asked.check("/c", kLong, lines, &answer) == End::kAnswered);
  CHECK(answer == "two");
  char text[64];
  CHECK(std::string(text, static_cast<size_t>(read(requests.get(), text, sizeof text))) == "/a b\n/c\n");
}

TEST_CASE_FIXTURE(Fixture, "a check that takes too long, is stopped, or has nobody left who asked") {
  LineReader lines(control[0]);
  std::string answer;
  ResidentChecker late = checker();
  CHECK(late.check("/a", 1, lines, &answer) == End::kLate);
  // Other lines do not end it; they are kept.
  say(control[1], "learn x\n");
  ResidentChecker patient = checker();
  CHECK(patient.check("/a", 50, lines, &answer) == End::kLate);
  say(control[1], "stop\n");
  ResidentChecker stopped = checker();
  CHECK(stopped.check("/a", kLong, lines, &answer) == End::kStopped);
  std::string line;
  CHECK((lines.next(&line) && line == "learn x"));
  CHECK((lines.next(&line) && line == "stop"));
  close(control[1]);
  control[1] = -1;
  ResidentChecker alone = checker();
  CHECK(alone.check("/a", kLong, lines, &answer) == End::kStopped);
}
