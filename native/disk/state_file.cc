#include "native/disk/state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "native/disk/files.h"
#include "native/disk/image.h"
#include "native/disk/trace.h"

namespace plugpull::disk {

namespace {

constexpr uint64_t kPiece = 4096;

}  // namespace

void save_state(int fd, uint64_t size, const std::string& trace) {
  TraceWriter out(trace, size);
  uint64_t id = 0;
  std::vector<char> data;
  for_each_data(fd, size, [&](uint64_t offset, uint64_t length) {
    data.resize(length);
    read_all(fd, data.data(), length, offset, "read the state");
    for (uint64_t at = 0; at < length;) {
      // As many blocks as have something in them, in one write.
      uint64_t end = at;
      while (end < length) {
        const uint64_t block = std::min(kPiece, length - end);
        const auto from = data.begin() + static_cast<ptrdiff_t>(end);
        if (std::all_of(from, from + static_cast<ptrdiff_t>(block), [](char byte) { return byte == 0; }))
          break;
        end += block;
      }
      if (end > at) {
        out.add({.kind = Kind::kWrite, .id = ++id, .offset = offset + at, .length = end - at},
                {data.data() + at, end - at});
        out.add({.kind = Kind::kDone, .id = id});
      }
      at = end + kPiece;
    }
  });
  out.add({.kind = Kind::kFlush, .id = ++id});
  out.add({.kind = Kind::kDone, .id = id});
  out.flush();
}

void restore_state(const std::string& trace, const std::string& image) {
  const TraceReader reader(trace);
  const Fd fd(check(open(image.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), "open " + image));
  check(ftruncate(fd.get(), static_cast<off_t>(reader.image_bytes())), "size of " + image);
  for (const Record& record : reader.records()) {
    if (record.kind == Kind::kWrite) {
      const std::string data = reader.text(record);
      write_all_at(fd.get(), data.data(), data.size(), record.offset, "write " + image);
    } else if (record.kind == Kind::kDiscard || record.kind == Kind::kZero) {
      const std::vector<char> zeros(record.length);
      write_all_at(fd.get(), zeros.data(), zeros.size(), record.offset, "write " + image);
    }
  }
}

}  // namespace plugpull::disk
