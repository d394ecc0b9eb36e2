#include "native/disk/owner.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string_view>

#include "native/disk/files.h"

namespace plugpull::disk {

namespace {

constexpr char kName[] = "plugpull-disk-%d-%" PRIu64 "-%" PRIu64;
constexpr char kWritten[] = "plugpull-disk-%d-%" SCNu64 "-%" SCNu64;

uint64_t pid_namespace() {
  struct stat status {};
  check(stat("/proc/self/ns/pid", &status), "stat /proc/self/ns/pid");
  return status.st_ino;
}

// In ticks since the machine started; 0 if there is no such process, or one that only waits to be buried: it
// holds nothing any more.
uint64_t start_of(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text, '\0')) return 0;
  // The name of the program is in parentheses and may hold anything; `starttime` is the 20th field behind it.
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string field;
  fields >> field;
  if (field == "Z" || field == "X") return 0;
  for (int i = 1; i < 20; i++) fields >> field;
  return fields ? std::stoull(field) : 0;
}

}  // namespace

std::string owner_name() {
  char name[96];
  std::snprintf(name, sizeof name, kName, static_cast<int>(getpid()), start_of(getpid()), pid_namespace());
  return name;
}

bool owner_is_gone(const std::string& backing) {
  int pid = 0;
  uint64_t start = 0;
  uint64_t space = 0;
  // A file of the recorder, in the root of its own mount, or memory.
  std::string_view name = backing;
  for (const std::string_view head : {"/", "memfd:"}) {
    if (name.starts_with(head)) name.remove_prefix(head.size());
  }
  if (std::sscanf(std::string(name).c_str(), kWritten, &pid, &start, &space) != 3 || start == 0) return false;
  return space == pid_namespace() && start_of(pid) != start;
}

}  // namespace plugpull::disk
