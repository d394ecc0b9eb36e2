#define FUSE_USE_VERSION 312
#include "native/disk/recorder.h"

#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <string>

#include "native/disk/fuse_end.h"
#include "native/disk/lines.h"
#include "native/disk/owner.h"
#include "native/disk/served_disk.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

namespace plugpull::disk {

namespace {

constexpr fuse_ino_t kDiskInode = 2;
constexpr fuse_ino_t kMarkInode = 3;
// `disk` leads to the file of the disk, whose own name says whose it is: that name is what stands in a loop
// device that was left over (see sweep_loops).
constexpr fuse_ino_t kLinkInode = 4;
constexpr unsigned kMaxWrite = 1U << 20;
constexpr unsigned kInFlight = 256;
// Attributes and names never change.
constexpr double kForever = 3600;

// An answer that waits for its moment.
struct Answer {
  uint64_t due;
  fuse_req_t request;
  uint64_t id;
  int error;
  size_t count;  // bytes written; 0 for the others
};

struct Server {
  ServedDisk disk;
  // Of the file of the disk.
  std::string name = owner_name();
  std::deque<Answer> waiting;
  // The mark whose writer is to wait, and that writer once it does.
  std::string hold;
  Answer held{};

  void say(const char* line) {
    std::printf("%s\n", line);
    std::fflush(stdout);
  }
  void wrote_mark(fuse_req_t request, std::string_view text) {
    const size_t size = text.size();
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    if (hold.empty() || text != hold) {
      fuse_reply_write(request, size);
      return;
    }
    hold.clear();
    held = {0, request, 0, 0, size};
    say("ok held");
  }
  void release() {
    if (held.request != nullptr) fuse_reply_write(held.request, held.count);
    held.request = nullptr;
  }
  void control(const std::string& line) {
    if (line.starts_with("hold ")) {
      hold = line.substr(5);
      std::replace(hold.begin(), hold.end(), '_', ' ');
      return;
    }
    if (line == "release" || line == "healthy") release();
    if (line == "healthy" && !hold.empty()) {
      hold.clear();
      say("ok none");
    }
    say(line == "release" || disk.control(line) ? "ok" : "error no such setting");
  }

  void answer(const Answer& one) {
    // The record comes first: whoever has the answer may write again.
    disk.done(one.id);
    if (one.error == 0 && one.count > 0) {
      fuse_reply_write(one.request, one.count);
    } else {
      fuse_reply_err(one.request, one.error);
    }
  }
  void later(fuse_req_t request, uint64_t id, int error, size_t count) {
    const Answer one{now_micros() + disk.delay_micros(), request, id, error, count};
    if (disk.delay_micros() == 0 && waiting.empty()) {
      answer(one);
    } else {
      waiting.push_back(one);
    }
  }
  void answer_due(bool all) {
    const uint64_t now = now_micros();
    while (!waiting.empty() && (all || waiting.front().due <= now)) {
      const Answer one = waiting.front();
      waiting.pop_front();
      answer(one);
    }
  }
  int poll_millis() const {
    if (waiting.empty()) return -1;
    const uint64_t now = now_micros();
    return waiting.front().due <= now ? 0 : static_cast<int>((waiting.front().due - now + 999) / 1000);
  }
};

Server& server_of(fuse_req_t request) { return *static_cast<Server*>(fuse_req_userdata(request)); }

struct stat attributes(fuse_ino_t inode, const ServedDisk& disk) {
  struct stat status {};
  status.st_ino = inode;
  status.st_mode = inode == FUSE_ROOT_ID ? S_IFDIR | 0700
                   : inode == kLinkInode ? S_IFLNK | 0777
                                         : S_IFREG | 0600;
  status.st_nlink = inode == FUSE_ROOT_ID ? 2 : 1;
  status.st_size = inode == kDiskInode ? static_cast<off_t>(disk.size()) : 0;
  status.st_blksize = 4096;
  status.st_blocks = status.st_size / 512;
  return status;
}

void on_init(void*, fuse_conn_info* connection) {
  connection->max_write = kMaxWrite;
  connection->max_background = kInFlight;
  connection->congestion_threshold = kInFlight;
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
                                             FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE);
  connection->want |= connection->capable & FUSE_CAP_ASYNC_DIO;
}

void on_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_entry_param entry{};
  if (parent == FUSE_ROOT_ID && std::strcmp(name, "disk") == 0) entry.ino = kLinkInode;
  if (parent == FUSE_ROOT_ID && server_of(request).name == name) entry.ino = kDiskInode;
  if (parent == FUSE_ROOT_ID && std::strcmp(name, "mark") == 0) entry.ino = kMarkInode;
  if (entry.ino == 0) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  entry.attr = attributes(entry.ino, server_of(request).disk);
  entry.attr_timeout = kForever;
  entry.entry_timeout = kForever;
  fuse_reply_entry(request, &entry);
}

void on_readlink(fuse_req_t request, fuse_ino_t) {
  fuse_reply_readlink(request, server_of(request).name.c_str());
}

void on_getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  const struct stat status = attributes(inode, server_of(request).disk);
  fuse_reply_attr(request, &status, kForever);
}

// Opening for writing with O_TRUNC, as shells do, must not fail; sizes stay as they are.
void on_setattr(fuse_req_t request, fuse_ino_t inode, struct stat*, int, fuse_file_info*) {
  on_getattr(request, inode, nullptr);
}

void on_open(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  file->direct_io = 1;
  file->noflush = 1;
  fuse_reply_open(request, file);
}

void on_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info*) {
  ServedDisk& disk = server_of(request).disk;
  const uint64_t at = static_cast<uint64_t>(offset);
  if (inode != kDiskInode || at >= disk.size()) {
    fuse_reply_buf(request, nullptr, 0);
    return;
  }
  const uint64_t length = std::min<uint64_t>(size, disk.size() - at);
  if (const int error = disk.read(at, length); error != 0) {
    fuse_reply_err(request, error);
  } else {
    fuse_reply_buf(request, disk.bytes() + at, length);
  }
}

void on_write(fuse_req_t request, fuse_ino_t inode, const char* data, size_t size, off_t offset,
              fuse_file_info*) {
  Server& server = server_of(request);
  if (inode == kMarkInode) {
    const int error = server.disk.mark({data, size});
    error == 0 ? server.wrote_mark(request, {data, size}) : (void)fuse_reply_err(request, error);
    return;
  }
  uint64_t id = 0;
  const int error = server.disk.write(static_cast<uint64_t>(offset), {data, size}, &id);
  server.later(request, id, error, size);
}

void on_fsync(fuse_req_t request, fuse_ino_t inode, int, fuse_file_info*) {
  Server& server = server_of(request);
  uint64_t id = 0;
  const int error = inode == kDiskInode ? server.disk.flush(&id) : 0;
  server.later(request, id, error, 0);
}

void on_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
                  fuse_file_info*) {
  Server& server = server_of(request);
  const bool punch = (mode & FALLOC_FL_PUNCH_HOLE) != 0;
  if (inode != kDiskInode || (!punch && (mode & FALLOC_FL_ZERO_RANGE) == 0)) {
    fuse_reply_err(request, EOPNOTSUPP);
    return;
  }
  uint64_t id = 0;
  const int error =
      server.disk.zero(static_cast<uint64_t>(offset), static_cast<uint64_t>(length), punch, &id);
  server.later(request, id, error, 0);
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops ops{};
  ops.init = on_init;
  ops.lookup = on_lookup;
  ops.readlink = on_readlink;
  ops.getattr = on_getattr;
  ops.setattr = on_setattr;
  ops.open = on_open;
  ops.read = on_read;
  ops.write = on_write;
  ops.fsync = on_fsync;
  ops.fallocate = on_fallocate;
  return ops;
}

// Serves requests and control lines, one after the other, until told to stop.
int serve(fuse_session* session, Server& server) {
  const int fuse = fuse_session_fd(session);
  fcntl(fuse, F_SETFL, fcntl(fuse, F_GETFL) | O_NONBLOCK);
  fuse_buf buffer{};
  LineReader lines(0);
  while (fuse_session_exited(session) == 0) {
    pollfd fds[] = {{fuse, POLLIN, 0}, {0, POLLIN, 0}};
    if (poll(fds, 2, server.poll_millis()) < 0 && errno != EINTR) return errno;
    server.answer_due(false);
    if ((fds[0].revents & POLLIN) != 0) {
      const int got = fuse_session_receive_buf(session, &buffer);
      if (got > 0) {
        fuse_session_process_buf(session, &buffer);
      } else if (got != -EAGAIN && got != -EINTR) {
        break;
      }
    } else if (fds[0].revents != 0) {
      break;
    }
    if (fds[1].revents != 0) {
      std::string line;
      bool open = lines.fill();
      while (open && lines.next(&line)) {
        if (line == "quit") {
          open = false;
        } else {
          server.control(line);
        }
      }
      if (!open) break;
    }
  }
  server.release();
  server.answer_due(true);
  std::free(buffer.mem);
  return 0;
}

}  // namespace

int record(const RecorderOptions& options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGINT, SIG_IGN);  // the controller decides what Ctrl-C means
  Server server{.disk = ServedDisk(options)};
  // Nobody must have to write to this disk in order to give memory to this process.
  const int unlocked = mlockall(MCL_CURRENT | MCL_FUTURE) < 0 ? errno : 0;
  prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);

  char name[] = "plugpull-disk";
  char flag[] = "-o";
  char mount_options[] = "fsname=plugpull-disk,subtype=plugpull-disk";
  char* argv[] = {name, flag, mount_options, nullptr};
  fuse_args args = FUSE_ARGS_INIT(3, argv);
  const fuse_lowlevel_ops ops = operations();
  fuse_session* session = fuse_session_new(&args, &ops, sizeof ops, &server);
  fuse_opt_free_args(&args);
  if (session == nullptr) return 70;
  if (fuse_session_mount(session, options.mount.c_str()) != 0) {
    fuse_session_destroy(session);
    return 69;
  }
  const FuseEnd end(options.mount);
  std::printf("ready\n");
  std::fflush(stdout);
  const int error = serve(session, server);
  server.disk.finish();
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  if (error != 0 || server.disk.trace_error() != 0) {
    std::fprintf(stderr, "the trace is not whole: %s\n",
                 strerror(error != 0 ? error : server.disk.trace_error()));
    return 70;
  }
  std::printf("done %s unlocked %d\n", server.disk.summary().c_str(), unlocked);
  return 0;
}

}  // namespace plugpull::disk
