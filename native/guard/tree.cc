#include "native/guard/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

namespace plugpull::guard {
namespace {

/** Whole content of a small file of /proc; empty if it cannot be read. */
std::string read_proc(const std::string& path) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[4096];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  close(fd);
  return text;
}

/** Names of a folder's entries that are numbers. */
std::vector<pid_t> numbers_in(const std::string& folder) {
  std::vector<pid_t> numbers;
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return numbers;
  while (const dirent* entry = readdir(dir)) {
    if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) != 0) {
      numbers.push_back(static_cast<pid_t>(std::atol(entry->d_name)));
    }
  }
  closedir(dir);
  return numbers;
}

void append_children(pid_t pid, std::vector<pid_t>* out) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const pid_t tid : numbers_in(tasks)) {
    const std::string text = read_proc(tasks + "/" + std::to_string(tid) + "/children");
    const char* at = text.c_str();
    char* end = nullptr;
    for (long child = std::strtol(at, &end, 10); end != at; child = std::strtol(at, &end, 10)) {
      out->push_back(static_cast<pid_t>(child));
      at = end;
    }
  }
}

/** Fields 3 (state), 4 (parent) and 5 (group) of stat follow the name, which may itself hold blanks and
 * brackets. */
bool read_stat(pid_t pid, Process* process, pid_t* parent) {
  const std::string text = read_proc("/proc/" + std::to_string(pid) + "/stat");
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 2 >= text.size()) return false;
  process->pid = pid;
  process->name = text.substr(open + 1, close - open - 1);
  process->state = text[close + 2];
  char* at = nullptr;
  *parent = static_cast<pid_t>(std::strtol(text.c_str() + close + 3, &at, 10));
  process->group = static_cast<pid_t>(std::strtol(at, nullptr, 10));
  return true;
}

std::vector<pid_t> descendants_by_parent(pid_t root) {
  std::unordered_multimap<pid_t, pid_t> children;
  for (const pid_t pid : numbers_in("/proc")) {
    Process process;
    pid_t parent = 0;
    if (read_stat(pid, &process, &parent)) children.emplace(parent, pid);
  }
  std::vector<pid_t> found;
  const auto add = [&](pid_t parent) {
    const auto [first, last] = children.equal_range(parent);
    for (auto it = first; it != last; ++it) found.push_back(it->second);
  };
  add(root);
  for (size_t i = 0; i < found.size(); i++) add(found[i]);
  return found;
}

bool kernel_lists_children() {
  static const bool listed = access("/proc/thread-self/children", R_OK) == 0;
  return listed;
}

}  // namespace

std::vector<pid_t> descendants(pid_t root, const std::function<bool(pid_t)>& visit) {
  if (!kernel_lists_children()) {
    std::vector<pid_t> found = descendants_by_parent(root);
    if (visit) (void)std::all_of(found.begin(), found.end(), visit);
    return found;
  }
  std::unordered_set<pid_t> seen;
  std::vector<pid_t> queue{root};
  for (size_t i = 0; i < queue.size(); i++) {
    if (visit && i > 0 && !visit(queue[i])) break;
    std::vector<pid_t> children;
    append_children(queue[i], &children);
    for (const pid_t child : children) {
      // A second time: it moved to another parent while we looked.
      if (seen.insert(child).second) queue.push_back(child);
    }
  }
  queue.erase(queue.begin());
  return queue;
}

bool read_process(pid_t pid, Process* process) {
  pid_t parent = 0;
  return read_stat(pid, process, &parent);
}

uint64_t memory_of(pid_t pid) {
  const std::string text = read_proc("/proc/" + std::to_string(pid) + "/status");
  uint64_t kib = 0;
  for (const char* field : {"\nRssAnon:", "\nRssShmem:"}) {
    const size_t at = text.find(field);
    if (at != std::string::npos) kib += std::strtoull(text.c_str() + at + std::strlen(field), nullptr, 10);
  }
  return kib * 1024;
}

}  // namespace plugpull::guard
