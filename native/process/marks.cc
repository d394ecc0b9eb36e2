#include "native/process/marks.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "native/process/descriptor.h"
#include "native/storage/error.h"

namespace plugpull {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kTextAt = 16;
constexpr std::size_t kLongest = 400;
constexpr char kMagic[] = "PLUGMARK";

struct State {
  std::mutex mutex;  // steps come from several threads
  MarkPlaces places;
  Descriptor port;
  Descriptor device;
  std::uint32_t sequence = 0;
};

State& state() {
  static State* const instance = new State;  // never destroyed: threads may outlive main()
  return *instance;
}

Descriptor open_place(const std::string& path, int flags) {
  if (path.empty()) return Descriptor();
  Descriptor opened(::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY));
  if (!opened) throw OsError("open", path, errno);
  return opened;
}

void write_line(int fd, std::string_view text, const std::string& path) {
  char line[kLongest + 1];
  std::memcpy(line, text.data(), text.size());
  line[text.size()] = '\n';
  ssize_t written;
  do {
    written = ::write(fd, line, text.size() + 1);
  } while (written < 0 && errno == EINTR);
  if (written < 0) throw OsError("write", path, errno);
}

void write_sector(int fd, std::uint64_t offset, std::uint32_t sequence, std::string_view text,
                  const std::string& path) {
  alignas(4096) char sector[kSector] = {};
  const auto length = static_cast<std::uint32_t>(text.size());
  std::memcpy(sector, kMagic, 8);
  std::memcpy(sector + 8, &sequence, sizeof sequence);
  std::memcpy(sector + 12, &length, sizeof length);
  std::memcpy(sector + kTextAt, text.data(), text.size());
  ssize_t written;
  do {
    written = ::pwrite(fd, sector, kSector, static_cast<off_t>(offset));
  } while (written < 0 && errno == EINTR);
  if (written < 0) throw OsError("pwrite", path, errno);
  if (written != static_cast<ssize_t>(kSector)) throw OsError("pwrite", path, EIO);
}

}  // namespace

void open_marks(const MarkPlaces& places) {
  State& marks = state();
  const std::lock_guard lock(marks.mutex);
  if (places.offset % kSector != 0) throw OsError("open", places.device, EINVAL);
  // A named pipe is opened for both, so that opening does not wait for a reader.
  Descriptor port = open_place(places.port, O_RDWR);
  Descriptor device = open_place(places.device, O_WRONLY | O_DIRECT);
  marks.places = places;
  marks.port = std::move(port);
  marks.device = std::move(device);
  marks.sequence = 0;
}

void mark(std::string_view text) {
  State& marks = state();
  const std::lock_guard lock(marks.mutex);
  text = text.substr(0, kLongest);
  // The disk first: what the controller has heard of is then in the disk's log too.
  if (marks.device) {
    write_sector(marks.device.get(), marks.places.offset, ++marks.sequence, text, marks.places.device);
  }
  if (marks.port) write_line(marks.port.get(), text, marks.places.port);
}

void mark_quietly(std::string_view text) noexcept {
  try {
    mark(text);
  } catch (const OsError&) {
    // Nobody listens any more: the workload must not notice.
  }
}

bool marking() noexcept {
  State& marks = state();
  return static_cast<bool>(marks.port) || static_cast<bool>(marks.device);
}

}  // namespace plugpull
