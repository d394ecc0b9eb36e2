#pragma once
#include <cerrno>
#include <stdexcept>
#include <string>

namespace plugpull {

// A failed call to the OS. Every path to the caller keeps the three things that
// a person needs: what was tried, on what, and errno.
class OsError : public std::runtime_error {
 public:
  OsError(std::string operation, std::string path, int error);

  const std::string& operation() const noexcept { return operation_; }
  const std::string& path() const noexcept { return path_; }
  int error() const noexcept { return error_; }

 private:
  std::string operation_;
  std::string path_;
  int error_;
};

// The bytes in a file are not what the format allows: not a heap, cut short,
// another layout, a checksum that does not match. Never used for OS failures.
class FormatError : public std::runtime_error {
 public:
  enum class Kind { kNotAHeap, kTruncated, kCorrupt, kOtherLayout, kOtherVersion, kOtherAddress, kAbsent };

  FormatError(Kind kind, std::string path, const std::string& what_is_wrong);

  Kind kind() const noexcept { return kind_; }
  const std::string& path() const noexcept { return path_; }
  // The stable name used in JavaScript (`error.code`), e.g. "HEAP_TRUNCATED".
  static const char* name(Kind kind) noexcept;

 private:
  Kind kind_;
  std::string path_;
};

}  // namespace plugpull
