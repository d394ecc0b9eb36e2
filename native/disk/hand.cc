#include "native/disk/hand.h"

#include <fcntl.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <system_error>

#include "native/disk/answers.h"
#include "native/disk/files.h"
#include "native/disk/lines.h"
#include "native/disk/loop.h"
#include "native/disk/mounts.h"
#include "native/disk/quiesce.h"

namespace plugpull::disk {

namespace {

constexpr size_t kMaxExtents = 100'000;

class Hand {
 public:
  ~Hand() {
    for (const std::string& folder : mounted_) {
      try {
        unmount(folder);
      } catch (const std::system_error& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
    }
  }

  std::string serve(const std::string& line) {
    std::istringstream words(line);
    std::string command, first, second, third, fourth;
    words >> command >> first >> second >> third >> fourth;
    for (std::string* word : {&first, &second, &third, &fourth}) *word = unquoted(*word);
    if (command == "attach") return attach(first, second == "direct");
    if (command == "mount") {
      mount_device(first, second, third, fourth == "-" ? "" : fourth);
      mounted_.insert(second);
      attached_.erase(first);
      return "ok";
    }
    if (command == "unmount") {
      unmount(first);
      mounted_.erase(first);
      return "ok";
    }
    if (command == "quiesce") {
      quiesce(first);
      return "ok";
    }
    if (command == "map") return answer_map(map_files(first, kMaxExtents));
    return "error no such command: " + command;
  }

 private:
  std::string attach(const std::string& file, bool direct) {
    const int flags = O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0);
    const Fd fd(check(open(file.c_str(), flags), "open " + file));
    Loop loop = attach_loop(fd.get(), direct, true);
    attached_[loop.path] = std::move(loop.held);
    return "ok " + loop.path;
  }

  // Held open from attaching to mounting; then the mount holds it.
  std::map<std::string, Fd> attached_;
  std::set<std::string> mounted_;
};

}  // namespace

int hand() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGINT, SIG_IGN);  // the controller decides what Ctrl-C means
  if (!in_private_namespace()) {
    std::fprintf(stderr, "mounts are made only in a private mount namespace\n");
    return 69;
  }
  Hand hand;
  LineReader lines(0);
  return serve_lines(lines, [&](const std::string& line) { return hand.serve(line); });
}

}  // namespace plugpull::disk
