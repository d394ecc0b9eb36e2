// The model without a cut, against the real page cache; and what it records.
#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "native/explore/mix.h"
#include "native/model/model_storage.h"
#include "native/storage/error.h"
#include "native/storage/io.h"
#include "native/storage/posix.h"

using namespace plugpull;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "plugpull-model-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(mix(seed)) {}
  std::uint64_t below(std::uint64_t n) {
    state_ = mix(state_);
    return (state_ >> 11) % n;
  }

 private:
  std::uint64_t state_;
};

// One random operation; what it answered, in words.
std::string act(Storage& storage, const Folder& folder, std::uint64_t seed) {
  Dice dice(seed);
  const std::string names[] = {"a", "b", "c"};
  const std::string path = folder / names[dice.below(3)];
  const std::string other = folder / names[dice.below(3)];
  const auto bytes = [&](std::size_t n) {
    std::vector<std::byte> all(n);
    for (std::byte& b : all) b = std::byte(dice.below(256));
    return all;
  };
  try {
    switch (dice.below(11)) {
      case 0:
      case 1: {
        const auto file =
            storage.open(path, {.create = true, .truncate = dice.below(4) == 0, .permissions = 0640});
        write_all(*file, bytes(1 + dice.below(9000)), dice.below(9000));
        return "written";
      }
      case 2: {
        const auto file = storage.open(path, {.create = true, .exclusive = true});
        return "created " + std::to_string(file->permissions());
      }
      case 3: {
        const auto file = storage.open(path, {.write = false});
        std::vector<std::byte> all(1 + dice.below(10000));
        all.resize(read_all(*file, all, dice.below(10000)));
        std::uint64_t hash = all.size();
        for (const std::byte b : all) hash = mix(hash ^ static_cast<std::uint64_t>(b));
        return "read " + std::to_string(hash) + " size " + std::to_string(file->size());
      }
      case 4:
        storage.open(path, {})->truncate(dice.below(12000));
        return "truncated";
      case 5:
        storage.rename(path, other);
        return "renamed";
      case 6:
        storage.unlink(path);
        return "unlinked";
      case 7:
        storage.open(path, {})->chmod(0600 + dice.below(8));
        return "chmod";
      case 8:
        return storage.exists(path) ? "there" : "not there";
      case 9: {
        const auto file = storage.open(path, {.write = false});
        storage.open(path, {})->datasync();
        file->sync();
        storage.sync_directory(directory_of(path));
        return "synced " + std::to_string(file->permissions());
      }
      default: {
        // A shared mapping is the file.
        const auto file = storage.open(path, {});
        const std::size_t size = file->size() / kPageSize * kPageSize;
        if (size == 0) return "too small";
        const auto memory = storage.reserve(size, nullptr);
        file->map_shared(memory->base(), size);
        memory->base()[dice.below(size)] = std::byte(dice.below(256));
        memory->base()[dice.below(size)] = std::byte(dice.below(256));
        file->sync_mapping(memory->base(), size);
        const std::size_t at = dice.below(size);
        std::byte seen{};
        file->pread({&seen, 1}, at);
        const std::byte mapped = memory->base()[at];
        memory->unmap(memory->base(), size);
        return "mapped " + std::to_string(static_cast<int>(seen)) + (seen == mapped ? "" : " differs");
      }
    }
  } catch (const OsError& error) {
    return error.operation() + ": " + std::to_string(error.error());
  }
}

std::vector<std::byte> whole(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto* data = reinterpret_cast<const std::byte*>(all.data());
  return {data, data + all.size()};
}

}  // namespace

TEST_CASE("without a cut, the model does what the real file system does") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    const Folder folder;
    ModelStorage model({});
    for (std::uint64_t i = 0; i < 60; ++i) {
      const std::uint64_t dice = mix(seed * 1000 + i);
      const std::string expected = act(posix_storage(), folder, dice);
      const std::string found = act(model, folder, dice);
      CHECK(found == expected);
    }
    const auto contents = model.contents();
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "")) {
      ++files;
      const auto found = contents.find(folder / entry.path().filename());
      REQUIRE(found != contents.end());
      CHECK(found->second == whole(entry.path()));
    }
    CHECK(files == contents.size());
  }
}

TEST_CASE("a file that was unlinked lives on for those who have it open") {
  ModelStorage model({});
  const auto file = model.open("d/f", {.create = true});
  model.unlink("d/f");
  const std::byte byte{7};
  write_all(*file, {&byte, 1}, 0);
  CHECK(file->size() == 1);
  CHECK(!model.exists("d/f"));
}

TEST_CASE("private mappings see the file and never change it") {
  ModelStorage model({});
  const auto file = model.open("d/f", {.create = true});
  const std::vector<std::byte> page(kPageSize, std::byte{3});
  write_all(*file, page, 0);
  const auto memory = model.reserve(4 * kPageSize, nullptr);
  file->map_private(memory->base(), kPageSize);
  memory->map_zero(memory->base() + kPageSize, kPageSize);
  CHECK(memory->base()[100] == std::byte{3});
  CHECK(memory->base()[kPageSize] == std::byte{0});
  memory->base()[100] = std::byte{9};
  CHECK(model.contents().at("d/f") == page);
  CHECK_THROWS_AS(file->map_private(memory->base(), 5 * kPageSize), OsError);
}

TEST_CASE("fixed addresses: given, refused while taken, given again") {
  ModelStorage model({});
  std::byte* base = nullptr;
  {
    const auto memory = model.reserve(16 * kPageSize, nullptr);
    base = memory->base();
    CHECK_THROWS_AS(model.reserve(16 * kPageSize, base), OsError);
  }
  CHECK(model.reserve(16 * kPageSize, base)->base() == base);
  // Memory that only waits to be used again is not in the way of another size.
  CHECK(model.reserve(8 * kPageSize, base)->base() == base);
}

TEST_CASE("the recording is bounded") {
  ModelStorage model({.trace_bytes = 10'000});
  const auto file = model.open("d/f", {.create = true});
  const std::vector<std::byte> page(kPageSize);
  CHECK_THROWS_AS(
      [&] {
        for (int i = 0; i < 10; ++i) write_all(*file, page, 0);
      }(),
      TraceLimit);
}

TEST_CASE("long writes, and many small ones, keep their bytes") {
  Recording recording;
  std::vector<std::size_t> sizes{3'000'000, 1, 0, 1'048'576, 1'048'575, 512};
  for (int i = 0; i < 3000; ++i) sizes.push_back(1000 + static_cast<std::size_t>(i));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    recording.add_write({.kind = OpKind::kWrite}, std::vector<std::byte>(sizes[i], std::byte(i % 251)));
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Op& op = recording.ops()[i];
    REQUIRE(op.length == sizes[i]);
    const std::byte* bytes = recording.bytes(op);
    CHECK(std::all_of(bytes, bytes + op.length, [&](std::byte b) { return b == std::byte(i % 251); }));
  }
}

TEST_CASE("threads may use different files at once") {
  ModelStorage model({});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&model, t] {
      const auto file = model.open("d/" + std::to_string(t), {.create = true});
      const std::vector<std::byte> sector(512, std::byte(t));
      for (int i = 0; i < 200; ++i) write_all(*file, sector, i * 512);
      file->sync();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& [path, bytes] : model.contents()) CHECK(bytes.size() == 200 * 512);
  CHECK(model.trace().recording.ops().size() == 4 * 202);
}

TEST_CASE("steps and acks are recorded where they happened") {
  ModelStorage model({});
  {
    const StepRecorder recorder(model);
    step("one");
    const auto file = model.open("d/f", {.create = true});
    step("two");
    file->sync();
  }
  step("unseen");
  model.ack(3);
  const Trace& trace = model.trace();
  const auto& ops = trace.recording.ops();
  REQUIRE(ops.size() == 5);
  CHECK(ops[0].kind == OpKind::kStep);
  CHECK(trace.steps.at(ops[1].step) == "one");
  CHECK(trace.steps.at(ops[3].step) == "two");
  CHECK(ops[4].kind == OpKind::kAck);
  CHECK(ops[4].length == 3);
  CHECK(trace.steps.size() == 2);
}

TEST_CASE("profiles have names, rules and sources") {
  for (const char* name : {"posix", "ext4-ordered", "ext4-dioread-lock", "ext4-writeback", "xfs", "btrfs"}) {
    const Profile* profile = profile_by_name(name);
    REQUIRE(profile != nullptr);
    CHECK(!profile->rules.empty());
    for (const ProfileRule& rule : profile->rules) {
      CHECK(!rule.rule.empty());
      CHECK(!rule.source.empty());
    }
  }
  CHECK(profile_by_name("zfs") == nullptr);
}
