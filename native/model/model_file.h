#pragma once
#include <memory>
#include <string>

#include "native/model/model_storage.h"

namespace plugpull {

// An open file of a ModelStorage.
class ModelFile : public File {
 public:
  using Inode = ModelStorage::Inode;
  ModelFile(ModelStorage& storage, std::shared_ptr<Inode> inode, std::string path, bool writable)
      : storage_(storage), inode_(std::move(inode)), path_(std::move(path)), writable_(writable) {}

  const std::string& path() const override { return path_; }
  std::size_t pread(Bytes out, std::uint64_t offset) override;
  std::size_t pwrite(ConstBytes in, std::uint64_t offset) override;
  void datasync() override { sync_as(OpKind::kDataSync); }
  void sync() override { sync_as(OpKind::kSync); }
  void truncate(std::uint64_t size) override;
  std::uint64_t size() override;
  unsigned permissions() override;
  void chmod(unsigned permissions) override;
  void clone_from(File& source) override;
  void map_private(std::byte* at, std::size_t length) override;
  void map_shared(std::byte* at, std::size_t length) override;
  void sync_mapping(std::byte* at, std::size_t length) override;

 private:
  void need_writable(const char* operation) const;
  void sync_as(OpKind kind);
  void fill(std::byte* at, std::size_t length);

  ModelStorage& storage_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
  bool writable_;
};

}  // namespace plugpull
