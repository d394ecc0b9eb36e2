#include "native/storage/faulty.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "native/storage/error.h"

namespace plugpull {
namespace {

class FaultyFile final : public File {
 public:
  FaultyFile(FaultyStorage& storage, std::unique_ptr<File> inner)
      : storage_(storage), inner_(std::move(inner)) {}

  const std::string& path() const override { return inner_->path(); }

  std::size_t pread(Bytes out, std::uint64_t offset) override {
    return inner_->pread(out.first(storage_.pass("pread", path(), out.size())), offset);
  }

  std::size_t pwrite(ConstBytes in, std::uint64_t offset) override {
    const std::size_t length = storage_.pass("pwrite", path(), in.size());
    return length == 0 ? 0 : inner_->pwrite(in.first(length), offset);
  }

  void datasync() override {
    storage_.pass("datasync", path());
    inner_->datasync();
  }

  void sync() override {
    storage_.pass("sync", path());
    inner_->sync();
  }

  void truncate(std::uint64_t size) override {
    storage_.pass("truncate", path());
    inner_->truncate(size);
  }

  std::uint64_t size() override {
    storage_.pass("size", path());
    return inner_->size();
  }

  unsigned permissions() override { return inner_->permissions(); }

  void chmod(unsigned permissions) override {
    storage_.pass("chmod", path());
    inner_->chmod(permissions);
  }

  void clone_from(File& source) override {
    storage_.pass("clone", path());
    auto* wrapped = dynamic_cast<FaultyFile*>(&source);
    inner_->clone_from(wrapped == nullptr ? source : *wrapped->inner_);
  }

  void map_private(std::byte* at, std::size_t length) override {
    storage_.pass("map", path());
    inner_->map_private(at, length);
  }

  void map_private_except(std::byte* at, std::size_t length,
                          std::span<const std::uint32_t> replaced) override {
    storage_.pass("map", path());
    inner_->map_private_except(at, length, replaced);
  }

  void map_shared(std::byte* at, std::size_t length) override {
    storage_.pass("map", path());
    inner_->map_shared(at, length);
  }

  void sync_mapping(std::byte* at, std::size_t length) override {
    storage_.pass("msync", path());
    inner_->sync_mapping(at, length);
  }

 private:
  FaultyStorage& storage_;
  std::unique_ptr<File> inner_;
};

class FaultyReservation final : public Reservation {
 public:
  FaultyReservation(FaultyStorage& storage, std::unique_ptr<Reservation> inner)
      : storage_(storage), inner_(std::move(inner)) {}

  std::byte* base() const override { return inner_->base(); }
  std::size_t size() const override { return inner_->size(); }
  void map_zero(std::byte* at, std::size_t length) override {
    storage_.pass("map", "(address space)");
    inner_->map_zero(at, length);
  }
  void unmap(std::byte* at, std::size_t length) override { inner_->unmap(at, length); }

 private:
  FaultyStorage& storage_;
  std::unique_ptr<Reservation> inner_;
};

}  // namespace

FaultyStorage::FaultyStorage(Storage& inner, FaultPlan plan)
    : inner_(inner), plan_(std::move(plan)), planned_(plan_.nth == 0 ? 0 : index_of(plan_.operation)) {}

std::size_t FaultyStorage::index_of(std::string_view operation) {
  const auto found = std::find(kOperations.begin(), kOperations.end(), operation);
  if (found == kOperations.end()) throw std::invalid_argument("no such operation: " + std::string(operation));
  return static_cast<std::size_t>(found - kOperations.begin());
}

std::uint64_t FaultyStorage::calls(std::string_view operation) const { return calls_[index_of(operation)]; }

std::size_t FaultyStorage::pass(std::string_view operation, const std::string& path, std::size_t length) {
  const std::size_t index = index_of(operation);
  if (++calls_[index] != plan_.nth || index != planned_) return length;
  fired_ = true;
  if (plan_.short_bytes) return std::min(length, *plan_.short_bytes);
  throw OsError(std::string(operation), path, plan_.error);
}

std::unique_ptr<File> FaultyStorage::open(const std::string& path, OpenMode mode) {
  pass("open", path);
  return std::make_unique<FaultyFile>(*this, inner_.open(path, mode));
}

bool FaultyStorage::exists(const std::string& path) { return inner_.exists(path); }

void FaultyStorage::rename(const std::string& from, const std::string& to) {
  pass("rename", from);
  inner_.rename(from, to);
}

void FaultyStorage::unlink(const std::string& path) {
  pass("unlink", path);
  inner_.unlink(path);
}

void FaultyStorage::sync_directory(const std::string& path) {
  pass("sync_directory", path);
  inner_.sync_directory(path);
}

std::unique_ptr<Reservation> FaultyStorage::reserve(std::size_t size, std::byte* fixed) {
  pass("map", "(address space)");
  return std::make_unique<FaultyReservation>(*this, inner_.reserve(size, fixed));
}

}  // namespace plugpull
