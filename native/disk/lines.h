// Lines from a descriptor, as they come.
#ifndef PLUGPULL_NATIVE_DISK_LINES_H_
#define PLUGPULL_NATIVE_DISK_LINES_H_

#include <unistd.h>

#include <cerrno>
#include <string>

namespace plugpull::disk {

class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}

  int fd() const { return fd_; }

  // Reads what is there, waiting if there is nothing. False at the end.
  bool fill() {
    char chunk[4096];
    ssize_t count = -1;
    do {
      count = read(fd_, chunk, sizeof chunk);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) return false;
    text_.append(chunk, static_cast<size_t>(count));
    return true;
  }

  // Takes the next whole line; false if there is none yet.
  bool next(std::string* line) {
    const size_t end = text_.find('\n', from_);
    if (end == std::string::npos) {
      text_.erase(0, from_);
      from_ = 0;
      return false;
    }
    *line = text_.substr(from_, end - from_);
    from_ = end + 1;
    return true;
  }

  // Is this one among the whole lines that were not taken yet?
  bool has(const std::string& line) const {
    for (size_t at = from_, end; (end = text_.find('\n', at)) != std::string::npos; at = end + 1) {
      if (text_.compare(at, end - at, line) == 0) return true;
    }
    return false;
  }

 private:
  int fd_;
  size_t from_ = 0;
  std::string text_;
};

// A word of a line, in which what would part words is written as in /proc/mounts: a backslash and three octal
// digits for a byte.
inline std::string unquoted(const std::string& word) {
  std::string text;
  for (size_t i = 0; i < word.size(); i++) {
    int byte = 0;
    size_t digits = 0;
    while (word[i] == '\\' && digits < 3 && i + 1 + digits < word.size()) {
      const char digit = word[i + 1 + digits];
      if (digit < '0' || digit > '7') break;
      byte = byte * 8 + (digit - '0');
      digits++;
    }
    text += digits == 3 ? static_cast<char>(byte) : word[i];
    if (digits == 3) i += 3;
  }
  return text;
}

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_LINES_H_
