#include "native/disk/zram.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "native/disk/outlive.h"
#include "native/disk/owner.h"

namespace plugpull::disk {

namespace {

constexpr char kControl[] = "/sys/class/zram-control";
// Processes that hold files of the mounted state may take a moment to end; one that hangs may take for ever.
constexpr int kAttempts = 600;
constexpr int kSweepAttempts = 20;
constexpr useconds_t kBetweenMicros = 50'000;

// Of the makers and sweepers of devices one after the other: it must be told beforehand which number comes.
class Turn {
 public:
  Turn()
      : folder_(check(open(kControl, O_RDONLY | O_DIRECTORY | O_CLOEXEC), std::string("open ") + kControl)) {
    for (int attempt = 0; flock(folder_.get(), LOCK_EX | LOCK_NB) < 0; attempt++) {
      if (attempt >= kAttempts) fail(errno, std::string("lock ") + kControl);
      usleep(kBetweenMicros);
    }
  }

 private:
  Fd folder_;
};

std::string disk_folder(unsigned number) { return "/sys/block/zram" + std::to_string(number); }

std::string text_of(const std::string& path) {
  const Fd file(check(open(path.c_str(), O_RDONLY | O_CLOEXEC), "open " + path));
  char text[64];
  const auto count = read(file.get(), text, sizeof text);
  if (count < 0) fail(errno, "read " + path);
  return {text, static_cast<size_t>(count)};
}

void put_into(const std::string& path, const std::string& text) {
  const Fd file(check(open(path.c_str(), O_WRONLY | O_CLOEXEC), "open " + path));
  write_all(file.get(), text.data(), text.size(), "write " + path);
}

uint64_t number_in(const std::string& path) {
  uint64_t number = 0;
  if (std::sscanf(text_of(path).c_str(), "%" SCNu64, &number) != 1)
    fail(EINVAL, "read a number from " + path);
  return number;
}

bool is_there(const ZramName& name) noexcept {
  try {
    const std::string disk = disk_folder(name.number);
    if (name.sequence != 0) return number_in(disk + "/diskseq") == name.sequence;
    // Noted before it was made: if it was, then nobody has used it.
    return number_in(disk + "/disksize") == 0;
  } catch (const std::exception&) {
    return false;
  }
}

// The lowest free number is the next one to be given.
unsigned next_number() {
  unsigned number = 0;
  while (access(disk_folder(number).c_str(), F_OK) == 0) number++;
  return number;
}

void write_note(int note, const ZramName& name) {
  const std::string text = std::to_string(name.number) + " " + std::to_string(name.sequence) + "\n";
  write_all_at(note, text.data(), text.size(), 0, "write " + name.owner);
}

void hot_remove(unsigned number) { put_into(std::string(kControl) + "/hot_remove", std::to_string(number)); }

// In the turn of who asks. In use: whose it is stays known.
void remove_now(const ZramName& name) {
  if (is_there(name)) {
    try {
      hot_remove(name.number);
    } catch (const std::system_error&) {
      return;
    }
  }
  unlink(name.owner.c_str());
}

// By a note that is there before the device is, it is found whenever its owner is killed. Nor is it seen
// without a size, as those are that nobody has noted yet.
void make_device(int note, uint64_t bytes, ZramName* name) {
  const Turn turn;
  name->number = next_number();
  write_note(note, *name);
  // Reading makes one and gives its number.
  name->number = static_cast<unsigned>(number_in(std::string(kControl) + "/hot_add"));
  write_note(note, *name);
  name->sequence = number_in(disk_folder(name->number) + "/diskseq");
  write_note(note, *name);
  put_into(disk_folder(name->number) + "/disksize", std::to_string(bytes));
}

// Without a devtmpfs nobody has made it for us, and what is there may be of another device of former days.
void make_node(const Zram& zram) {
  const dev_t device = makedev(zram.major, zram.minor);
  if (mknod(zram.path.c_str(), S_IFBLK | 0600, device) == 0) return;
  if (errno != EEXIST) fail(errno, "make " + zram.path);
  struct stat status {};
  check(stat(zram.path.c_str(), &status), "stat " + zram.path);
  if (!S_ISBLK(status.st_mode) || status.st_rdev != device) fail(EEXIST, "make " + zram.path);
}

// Gives back what is noted there, unless it is in use. True: nothing of it is left.
bool clear_note(const std::string& owner) {
  ZramName name;
  name.owner = owner;
  if (std::ifstream(owner) >> name.number >> name.sequence) {
    remove_now(name);
    return !is_there(name);
  }
  unlink(owner.c_str());
  return true;
}

void give_back(const std::string& owner, const std::string& folder) noexcept {
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    if (attempt > 0) usleep(kBetweenMicros);
    // Its owner has given it back, or never had it, and may have mounted something else there.
    if (access(owner.c_str(), F_OK) != 0) return;
    // Ours is the mount namespace of who is gone; whatever lies there was mounted by it. Who lives yet may
    // show something else there.
    if (owner_is_gone(std::filesystem::path(owner).filename())) umount2(folder.c_str(), MNT_DETACH);
    try {
      const Turn turn;
      if (clear_note(owner)) return;
    } catch (const std::exception&) {
      // The next run finds the note.
    }
  }
}

}  // namespace

Zram add_zram(uint64_t bytes, const std::string& folder, const std::string& owners) {
  // Where it could not be given back none is made.
  const std::string control = std::string(kControl) + "/hot_remove";
  check(access(control.c_str(), W_OK), "write " + control);
  Zram zram;
  ZramName& name = zram.name;
  name.owner = owners + "/" + owner_name();
  const Fd note(
      check(open(name.owner.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "make " + name.owner));
  const std::string place = std::filesystem::absolute(folder);
  // It also gives back what was noted when any of the following fails.
  zram.guard = when_gone("plugpull-unzram", [&] { give_back(name.owner, place); });
  make_device(note.get(), bytes, &name);
  const std::string numbers = text_of(disk_folder(name.number) + "/dev");
  if (std::sscanf(numbers.c_str(), "%u:%u", &zram.major, &zram.minor) != 2)
    fail(EINVAL, "read the numbers of zram" + std::to_string(name.number));
  zram.path = "/dev/zram" + std::to_string(name.number);
  make_node(zram);
  return zram;
}

void remove_zram(const ZramName& name) noexcept {
  try {
    const Turn turn;
    remove_now(name);
  } catch (const std::exception&) {
    // The next run finds the note.
  }
}

void sweep_zrams(const std::string& owners) noexcept {
  try {
    const Turn turn;
    for (const auto& entry : std::filesystem::directory_iterator(owners)) {
      if (!owner_is_gone(entry.path().filename())) continue;
      // What a process has mounted is unmounted some time after its death.
      for (int attempt = 0; !clear_note(entry.path()) && attempt < kSweepAttempts; attempt++)
        usleep(kBetweenMicros);
    }
  } catch (const std::exception&) {
    // No zram, or no such folder: then nothing is left.
  }
}

}  // namespace plugpull::disk
