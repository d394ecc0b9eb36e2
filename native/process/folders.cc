#include "native/process/folders.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <vector>

#include "native/process/files.h"
#include "native/storage/error.h"

namespace plugpull {
namespace {

constexpr std::size_t kChunk = 256 * 1024;

std::size_t read_at(const Descriptor& file, const std::string& path, char* out, std::size_t length,
                    off_t at) {
  std::size_t done = 0;
  while (done < length) {
    const ssize_t count = ::pread(file.get(), out + done, length - done, at + static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw OsError("pread", path, errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

std::string octal(mode_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "0%o", static_cast<unsigned>(mode & 07777));
  return text;
}

class Comparison {
 public:
  Comparison(const std::string& a, const std::string& b) : a_(a), b_(b), bytes_a_(kChunk), bytes_b_(kChunk) {}

  std::optional<std::string> folder(const std::string& inside) {
    const std::vector<std::string> in_a = names_in(a_ + inside);
    const std::vector<std::string> in_b = names_in(b_ + inside);
    std::vector<std::string> one_sided;
    std::set_symmetric_difference(in_a.begin(), in_a.end(), in_b.begin(), in_b.end(),
                                  std::back_inserter(one_sided));
    if (!one_sided.empty()) {
      const bool first = std::binary_search(in_a.begin(), in_a.end(), one_sided[0]);
      return name(inside + "/" + one_sided[0]) + " is only in the " + (first ? "first" : "second") +
             " folder";
    }
    for (const std::string& entry : in_a) {
      if (auto difference = compare(inside + "/" + entry)) return difference;
    }
    return std::nullopt;
  }

 private:
  static std::string name(const std::string& inside) { return inside.substr(1); }

  std::optional<std::string> compare(const std::string& inside) {
    const struct stat a = status_of(a_ + inside);
    const struct stat b = status_of(b_ + inside);
    if ((a.st_mode & S_IFMT) != (b.st_mode & S_IFMT)) return name(inside) + " is of another kind";
    if (S_ISLNK(a.st_mode)) {
      if (read_link(a_ + inside) == read_link(b_ + inside)) return std::nullopt;
      return name(inside) + " links to somewhere else";
    }
    if (a.st_mode != b.st_mode) {
      return name(inside) + " has permissions " + octal(a.st_mode) + " in the first folder and " +
             octal(b.st_mode) + " in the second";
    }
    if (S_ISDIR(a.st_mode)) return folder(inside);
    if (!S_ISREG(a.st_mode)) return std::nullopt;
    if (a.st_size != b.st_size) {
      return name(inside) + " has " + std::to_string(a.st_size) + " bytes in the first folder and " +
             std::to_string(b.st_size) + " in the second";
    }
    return contents(inside, a, b);
  }

  std::optional<std::string> contents(const std::string& inside, const struct stat& a, const struct stat& b) {
    const Descriptor file_a = open_to_read(a_ + inside, a);
    const Descriptor file_b = open_to_read(b_ + inside, b);
    for (off_t at = 0;;) {
      // What is a hole in both is equal.
      at = std::min(next_data(file_a, at, a.st_size).start, next_data(file_b, at, b.st_size).start);
      if (at >= a.st_size) return std::nullopt;
      const std::size_t length = std::min<std::size_t>(kChunk, static_cast<std::size_t>(a.st_size - at));
      const std::size_t got_a = read_at(file_a, a_ + inside, bytes_a_.data(), length, at);
      const std::size_t got_b = read_at(file_b, b_ + inside, bytes_b_.data(), length, at);
      const std::size_t got = std::min(got_a, got_b);
      if (got == 0 && got_a == got_b) return std::nullopt;
      if (got_a != got_b || std::memcmp(bytes_a_.data(), bytes_b_.data(), got) != 0) {
        const auto differing =
            std::mismatch(bytes_a_.begin(), bytes_a_.begin() + static_cast<long>(got), bytes_b_.begin());
        return name(inside) + " differs at byte " + std::to_string(at + (differing.first - bytes_a_.begin()));
      }
      at += static_cast<off_t>(got);
    }
  }

  std::string a_;
  std::string b_;
  std::vector<char> bytes_a_;
  std::vector<char> bytes_b_;
};

void write_at(const Descriptor& file, const std::string& path, const char* in, std::size_t length, off_t at) {
  while (length > 0) {
    const ssize_t count = ::pwrite(file.get(), in, length, at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw OsError("pwrite", path, count < 0 ? errno : EIO);
    in += count;
    at += count;
    length -= static_cast<std::size_t>(count);
  }
}

void copy_range(const Descriptor& from, const Descriptor& to, const std::string& path, DataRange range) {
  while (range.start < range.end) {
    off_t in = range.start;
    off_t out = range.start;
    const ssize_t count = ::copy_file_range(from.get(), &in, to.get(), &out,
                                            static_cast<std::size_t>(range.end - range.start), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    range.start += count;
  }
  std::vector<char> bytes(range.start < range.end ? kChunk : 0);
  while (range.start < range.end) {
    const std::size_t length = std::min(bytes.size(), static_cast<std::size_t>(range.end - range.start));
    const std::size_t got = read_at(from, path, bytes.data(), length, range.start);
    if (got == 0) return;  // it became shorter meanwhile
    write_at(to, path, bytes.data(), got, range.start);
    range.start += static_cast<off_t>(got);
  }
}

void copy_file(const std::string& from, const std::string& to, const struct stat& status) {
  const Descriptor source = open_to_read(from, status);
  const Descriptor target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target) throw OsError("open", to, errno);
  if (::ioctl(target.get(), FICLONE, source.get()) != 0) {
    for (off_t at = 0; at < status.st_size;) {
      const DataRange range = next_data(source, at, status.st_size);
      copy_range(source, target, to, range);
      at = range.end;
    }
    if (::ftruncate(target.get(), status.st_size) != 0) throw OsError("ftruncate", to, errno);
  }
  if (::fchmod(target.get(), status.st_mode & 07777) != 0) throw OsError("fchmod", to, errno);
  const timespec times[2] = {status.st_atim, status.st_mtim};
  if (::futimens(target.get(), times) != 0) throw OsError("futimens", to, errno);
}

}  // namespace

std::optional<std::string> compare_folders(const std::string& a, const std::string& b) {
  return Comparison(a, b).folder("");
}

void copy_folder(const std::string& from, const std::string& to) {
  const std::vector<std::string> names = names_in(from);
  if (::mkdir(to.c_str(), 0700) != 0) throw OsError("mkdir", to, errno);
  for (const std::string& name : names) {
    const std::string source = from + "/" + name;
    const std::string target = to + "/" + name;
    const struct stat status = status_of(source);
    if (S_ISDIR(status.st_mode)) {
      copy_folder(source, target);
    } else if (S_ISREG(status.st_mode)) {
      copy_file(source, target, status);
    } else if (S_ISLNK(status.st_mode)) {
      if (::symlink(read_link(source).c_str(), target.c_str()) != 0) throw OsError("symlink", target, errno);
    } else if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) {
      // Without content, but part of what is compared.
      if (::mknod(target.c_str(), status.st_mode, 0) != 0) throw OsError("mknod", target, errno);
      if (::chmod(target.c_str(), status.st_mode & 07777) != 0) throw OsError("chmod", target, errno);
    } else {
      throw OsError("copy a device", source, EINVAL);
    }
  }
  const struct stat status = status_of(from);
  if (::chmod(to.c_str(), status.st_mode & 07777) != 0) throw OsError("chmod", to, errno);
}

bool reflink_available(const std::string& folder) {
  // The kernel refuses before it looks at the content, so one page is enough.
  std::string name = folder + "/.reflink-XXXXXX";
  const auto temporary = [&name] {
    std::string path = name;
    Descriptor file(::mkostemp(path.data(), O_CLOEXEC));
    if (!file) throw OsError("mkostemp", path, errno);
    ::unlink(path.c_str());
    return file;
  };
  const Descriptor source = temporary();
  const Descriptor target = temporary();
  const char page[4096] = {};
  write_at(source, name, page, sizeof page, 0);
  return ::ioctl(target.get(), FICLONE, source.get()) == 0;
}

}  // namespace plugpull
