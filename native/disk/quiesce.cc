#include "native/disk/quiesce.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "native/disk/files.h"
#include "native/disk/outlive.h"

namespace plugpull::disk {

namespace {

// Since Linux 5.14; the C library's headers of Debian 12 do not have it. 0: write it out, and do not erase
// it.
constexpr unsigned long kExt4Checkpoint = _IOW('f', 43, uint32_t);

struct Outcome {
  int error = 0;
  bool thawing = false;
};

// In a process of its own, which no signal to its group ends and which outlives the one that asked: SIGKILL
// between the two calls would leave the file system frozen for good.
[[noreturn]] void freeze_and_thaw(int fd, int answers) {
  outlive_starter({std::min(fd, answers), std::max(fd, answers)});
  prctl(PR_SET_NAME, "plugpull-thaw");
  Outcome outcome;
  if (ioctl(fd, FIFREEZE, 0) < 0) {
    outcome.error = errno;
  } else if (ioctl(fd, FITHAW, 0) < 0) {
    outcome = {errno, true};
  }
  _exit(write(answers, &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
}

void freeze_elsewhere(int fd, const std::string& folder) {
  int ends[2];
  check(pipe2(ends, O_CLOEXEC), "pipe");
  const Fd answers(ends[0]);
  Fd theirs(ends[1]);
  const pid_t child = check(fork(), "fork");
  if (child == 0) freeze_and_thaw(fd, theirs.get());
  theirs.reset();
  Outcome outcome;
  ssize_t got = -1;
  while ((got = read(answers.get(), &outcome, sizeof outcome)) < 0 && errno == EINTR) continue;
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
  if (got != sizeof outcome) fail(ECHILD, "freeze " + folder);
  if (outcome.error != 0) fail(outcome.error, (outcome.thawing ? "thaw " : "freeze ") + folder);
}

}  // namespace

void quiesce(const std::string& folder) {
  const Fd fd(check(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open " + folder));
  struct statfs status {};
  check(fstatfs(fd.get(), &status), "statfs " + folder);
  // These two need not be frozen: a commit of all of btrfs drops its log tree, and ext4 has a call for it.
  if (status.f_type == BTRFS_SUPER_MAGIC) {
    check(syncfs(fd.get()), "sync " + folder);
    return;
  }
  if (status.f_type == EXT4_SUPER_MAGIC) {
    check(syncfs(fd.get()), "sync " + folder);
    uint32_t flags = 0;
    if (ioctl(fd.get(), kExt4Checkpoint, &flags) == 0 || errno == ENODEV)
      return;  // ENODEV: it has no journal
    if (errno != ENOTTY) fail(errno, "checkpoint " + folder);
  }
  freeze_elsewhere(fd.get(), folder);
}

}  // namespace plugpull::disk
