#pragma once
#include <string>

#include "native/storage/storage.h"

namespace plugpull {

// A descriptor, closed with the object. Used by posix.cc alone.
class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~PosixFile() override;
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  const std::string& path() const override { return path_; }
  std::size_t pread(Bytes out, std::uint64_t offset) override;
  std::size_t pwrite(ConstBytes in, std::uint64_t offset) override;
  void datasync() override;
  void sync() override;
  void truncate(std::uint64_t size) override;
  std::uint64_t size() override;
  unsigned permissions() override;
  void chmod(unsigned permissions) override;
  void clone_from(File& source) override;
  void map_private(std::byte* at, std::size_t length) override;
  void map_shared(std::byte* at, std::size_t length) override;
  void sync_mapping(std::byte* at, std::size_t length) override;

 private:
  void map(std::byte* at, std::size_t length, int flags);
  [[noreturn]] void fail(const char* operation) const;

  int descriptor_;
  std::string path_;
};

}  // namespace plugpull
