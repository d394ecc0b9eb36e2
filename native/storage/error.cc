#include "native/storage/error.h"

#include <cstring>
#include <utility>

namespace plugpull {
namespace {

std::string describe(const std::string& operation, const std::string& path, int error) {
  return operation + " " + path + ": " + std::strerror(error);
}

}  // namespace

OsError::OsError(std::string operation, std::string path, int error)
    : std::runtime_error(describe(operation, path, error)),
      operation_(std::move(operation)),
      path_(std::move(path)),
      error_(error) {}

FormatError::FormatError(Kind kind, std::string path, const std::string& what_is_wrong)
    : std::runtime_error(path + ": " + what_is_wrong), kind_(kind), path_(std::move(path)) {}

const char* FormatError::name(Kind kind) noexcept {
  switch (kind) {
    case Kind::kNotAHeap:
      return "HEAP_NOT_A_HEAP";
    case Kind::kTruncated:
      return "HEAP_TRUNCATED";
    case Kind::kCorrupt:
      return "HEAP_CORRUPT";
    case Kind::kOtherLayout:
      return "HEAP_OTHER_LAYOUT";
    case Kind::kOtherVersion:
      return "HEAP_OTHER_VERSION";
    case Kind::kOtherAddress:
      return "HEAP_OTHER_ADDRESS";
    case Kind::kAbsent:
      return "HEAP_ABSENT";
  }
  return "HEAP_CORRUPT";
}

}  // namespace plugpull
