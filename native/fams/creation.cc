#include "native/fams/creation.h"

#include <cerrno>

#include "native/fams/mapped_heap.h"
#include "native/storage/error.h"

namespace plugpull {

std::string temporary_name(const std::string& path) { return path + ".new"; }

void check_creation(Storage& storage, const BackendOptions& options) {
  check_size(options.size);
  if (storage.exists(options.path)) throw OsError("create", options.path, EEXIST);
}

std::unique_ptr<File> open_temporary(Storage& storage, const std::string& path) {
  return storage.open(temporary_name(path), {.write = true, .create = true, .truncate = true});
}

std::unique_ptr<File> open_heap_file(Storage& storage, const std::string& path, bool write) {
  try {
    return storage.open(path, {.write = write});
  } catch (const OsError& error) {
    if (error.error() != ENOENT) throw;
    throw FormatError(FormatError::Kind::kAbsent, path, "there is no heap here");
  }
}

void remove_leftover(Storage& storage, const std::string& path) {
  if (storage.exists(path)) storage.unlink(path);
}

}  // namespace plugpull
