#include "native/storage/io.h"

#include <cerrno>

#include "native/storage/error.h"

namespace plugpull {

std::size_t read_all(File& file, Bytes out, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t got = file.pread(out.subspan(done), offset + done);
    if (got == 0) break;
    done += got;
  }
  return done;
}

void write_all(File& file, ConstBytes in, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < in.size()) {
    const std::size_t put = file.pwrite(in.subspan(done), offset + done);
    if (put == 0) throw OsError("pwrite", file.path(), EIO);
    done += put;
  }
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void sync_directory_chain(Storage& storage, const std::string& directory) {
  storage.sync_directory(directory);
  std::string here = directory;
  while (here != "/" && here != ".") {
    here = directory_of(here);
    try {
      storage.sync_directory(here);
    } catch (const OsError& error) {
      if (error.error() == EACCES || error.error() == EPERM) return;
      throw;
    }
  }
}

}  // namespace plugpull
