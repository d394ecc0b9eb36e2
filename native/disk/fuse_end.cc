#include "native/disk/fuse_end.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "native/disk/files.h"
#include "native/disk/outlive.h"

namespace plugpull::disk {

namespace {

constexpr char kConnections[] = "/sys/fs/fuse/connections";
constexpr int kPatienceMillis = 10'000;
constexpr int kRecorderFd = 3;

}  // namespace

int end_fuse(const std::string& abort_file) {
  outlive_starter({0, kRecorderFd});
  // The end of input shows as POLLHUP; its lines are the recorder's to read.
  pollfd fds[] = {{kRecorderFd, POLLIN, 0}, {0, 0, 0}};
  while (poll(fds, 2, -1) < 0) continue;
  if (fds[0].revents == 0 && poll(fds, 1, kPatienceMillis) == 0) {
    const int fd = open(abort_file.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1", 1) != 1) return 1;
  }
  return 0;
}

int connection_of(const std::string& mountinfo, const std::string& folder) {
  std::istringstream lines(mountinfo);
  int found = -1;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, where;
    if (!(words >> id >> parent >> device >> root >> where) || where != folder) continue;
    // The last one lies on top. FUSE numbers its connections by the minor number of their device.
    if (const size_t colon = device.find(':'); colon != std::string::npos) {
      found = std::stoi(device.substr(colon + 1));
    }
  }
  return found;
}

FuseEnd::FuseEnd(const std::string& folder) {
  if (access((std::string(kConnections) + "/.").c_str(), F_OK) != 0) return;
  std::ifstream file("/proc/self/mountinfo");
  std::stringstream text;
  text << file.rdbuf();
  const int connection = connection_of(text.str(), folder);
  if (connection < 0) return;
  const std::string abort_file = std::string(kConnections) + "/" + std::to_string(connection) + "/abort";
  if (access(abort_file.c_str(), W_OK) != 0) mount("fusectl", kConnections, "fusectl", 0, nullptr);
  const Fd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (self.get() < 0) return;
  if (fork() == 0) {
    // A program of its own: it must not share the recorder's memory, which would have to be copied when it
    // changes.
    dup2(self.get(), kRecorderFd);
    fcntl(kRecorderFd, F_SETFD, 0);
    execl("/proc/self/exe", "plugpull-disk", "end-fuse", abort_file.c_str(), nullptr);
    _exit(1);
  }
}

}  // namespace plugpull::disk
