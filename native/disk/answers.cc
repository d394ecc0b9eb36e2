#include "native/disk/answers.h"

#include <algorithm>
#include <cstdio>
#include <exception>

#include "native/disk/files.h"

namespace plugpull::disk {

int serve_lines(LineReader& lines, const std::function<std::string(const std::string&)>& answer) {
  write_all(1, "ready\n", 6, "answer");
  while (lines.fill()) {
    // One write for all answers that are ready: callers send several lines at once.
    std::string out;
    for (std::string line; lines.next(&line);) {
      try {
        out += answer(line);
      } catch (const std::exception& error) {
        std::string text = error.what();
        std::replace(text.begin(), text.end(), '\n', ' ');
        out += "error " + text;
      }
      out += '\n';
    }
    if (!out.empty()) write_all(1, out.data(), out.size(), "answer");
  }
  return 0;
}

std::string answer_map(const std::vector<Extent>& extents) {
  std::string lines;
  size_t count = 0;
  for (const Extent& extent : extents) {
    if (extent.file.find('\n') != std::string::npos) continue;
    lines += "\n" + std::to_string(extent.physical) + " " + std::to_string(extent.length) + " " +
             std::to_string(extent.logical) + " " + extent.file;
    count++;
  }
  return "ok " + std::to_string(count) + lines;
}

}  // namespace plugpull::disk
