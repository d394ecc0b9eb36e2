#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "native/heap/format.h"
#include "native/test/heap_support.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

// Changes bytes of the backing file of a `plain` heap, which nothing else checks.
void patch(const std::string& path, std::uint64_t offset, const void* bytes, std::size_t length) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(length));
  REQUIRE(file.good());
}

HeapHeader read_header(const std::string& path) {
  HeapHeader header;
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(&header), sizeof header);
  return header;
}

}  // namespace

TEST_CASE("root, layout and data come back after every backend's commit") {
  for (const BackendKind& kind : all_backends()) {
    if (kind.needs_reflink) continue;
    CAPTURE(kind.name);
    const TempFolder folder;
    const HeapOptions options = heap_in(folder, std::string(kind.name));
    auto heap = create_heap(options);
    const Offset block = heap->allocate(10);
    std::memcpy(heap->data() + block, "persistent", 10);
    heap->set_root(block);
    heap->commit();
    CHECK(heap->sequence() == 1);
    heap->close();
    CHECK_THROWS_AS(heap->data(), std::logic_error);
    heap = open_heap(options);
    CHECK(heap->root() == block);
    CHECK(heap->layout() == "test/1");
    CHECK(std::memcmp(heap->data() + block, "persistent", 10) == 0);
    CHECK(joined(heap->verify(nullptr)) == "");
    heap->set_layout("test/2");
    heap->commit();
    heap.reset();
    HeapOptions next = options;
    CHECK(refusal(next) == std::string("HEAP_OTHER_LAYOUT"));
    next.layout = "test/2";
    CHECK(refusal(next) == nullptr);
    next.layout = "";
    CHECK(refusal(next) == nullptr);
  }
}

TEST_CASE("a heap whose creation was never committed is absent") {
  for (const char* backend : {"redo", "journal", "copy", "plain"}) {
    CAPTURE(backend);
    const TempFolder folder;
    const HeapOptions options = heap_in(folder, backend);
    CHECK(refusal(options) == std::string("HEAP_ABSENT"));
    if (std::string(backend) == "plain") continue;  // may write before any commit
    create_heap(options);
    CHECK(refusal(options) == std::string("HEAP_ABSENT"));
  }
}

TEST_CASE("what is not this program's heap is refused by name") {
  const TempFolder folder;
  HeapOptions options = heap_in(folder, "plain");
  const std::string& path = options.backend.path;
  {
    const auto heap = create_heap(options);
    heap->set_root(heap->allocate(100));
    heap->commit();
  }
  const HeapHeader right = read_header(path);
  std::string message;
  const auto patched = [&](HeapHeader header, bool sealed) {
    if (sealed) seal_header(header);
    patch(path, 0, &header, sizeof header);
    const char* kind = refusal(options, &message);
    patch(path, 0, &right, sizeof right);
    return std::string(kind == nullptr ? "none" : kind);
  };

  CHECK(patched(right, true) == "none");
  HeapHeader header = right;
  header.magic ^= 1;
  CHECK(patched(header, true) == "HEAP_NOT_A_HEAP");
  header = right;
  header.magic = __builtin_bswap64(header.magic);
  CHECK(patched(header, true) == "HEAP_OTHER_LAYOUT");
  header = right;
  header.version = 9;
  CHECK(patched(header, true) == "HEAP_OTHER_VERSION");
  CHECK(message.find("version 9") != std::string::npos);
  header = right;
  header.fingerprint ^= 1;
  CHECK(patched(header, true) == "HEAP_OTHER_LAYOUT");
  header = right;
  std::strcpy(header.layout, "kv/1");
  CHECK(patched(header, true) == "HEAP_OTHER_LAYOUT");
  CHECK(message.find("holds layout kv/1, this program expects test/1") != std::string::npos);
  header = right;
  header.address = 4096;
  CHECK(patched(header, true) == "HEAP_OTHER_ADDRESS");
  header = right;
  header.page_count = 17;
  CHECK(patched(header, true) == "HEAP_TRUNCATED");
  header = right;
  header.page_count = 15;
  CHECK(patched(header, true) == "HEAP_CORRUPT");
  // Any flipped bit of the header is seen.
  for (std::size_t bit = 0; bit < 8 * sizeof(HeapHeader); ++bit) {
    header = right;
    reinterpret_cast<unsigned char*>(&header)[bit / 8] ^= static_cast<unsigned char>(1U << (bit % 8));
    CAPTURE(bit);
    CHECK(patched(header, false) != "none");
  }
}

TEST_CASE("files that are cut short or not heaps are refused with every backend") {
  for (const char* backend : {"redo", "journal", "copy", "plain"}) {
    for (const off_t length : {0, 1, 100, 4095, 4096, 5000, 8192, 40000}) {
      CAPTURE(backend);
      CAPTURE(length);
      const TempFolder folder;
      const HeapOptions options = heap_in(folder, backend);
      {
        const auto heap = create_heap(options);
        heap->set_root(heap->allocate(100));
        heap->commit();
        heap->checkpoint();
      }
      REQUIRE(::truncate(options.backend.path.c_str(), length) == 0);
      try {
        const auto heap = open_heap(options);
        // Only a backend that still has every page elsewhere may open it, and then whole.
        CHECK(heap->size() == options.backend.size);
        CHECK(joined(heap->verify(nullptr)) == "");
      } catch (const FormatError& error) {
        CHECK(error.path().find("heap.db") != std::string::npos);
      }
    }
    const TempFolder folder;
    const HeapOptions options = heap_in(folder, backend);
    std::ofstream(options.backend.path) << std::string(65536, 'x');
    // `plain` misses its counter before it looks at the heap.
    CHECK_THROWS_AS(open_heap(options), std::runtime_error);
    if (std::string(backend) != "plain") CHECK_THROWS_AS(open_heap(options), FormatError);
  }
}

TEST_CASE("a read-only heap refuses every change and leaves the files alone") {
  const TempFolder folder;
  HeapOptions options = heap_in(folder);
  Offset block = 0;
  {
    const auto heap = create_heap(options);
    block = heap->allocate(100);
    heap->commit();
  }
  options.backend.read_only = true;
  const auto heap = open_heap(options);
  const auto error_of = [](const auto& call) {
    try {
      call();
    } catch (const OsError& error) {
      return error.error();
    }
    return 0;
  };
  CHECK(error_of([&] { heap->allocate(1); }) == EROFS);
  CHECK(error_of([&] { heap->release(block); }) == EROFS);
  CHECK(error_of([&] { heap->set_root(block); }) == EROFS);
  CHECK(error_of([&] { heap->set_layout("x"); }) == EROFS);
  CHECK(error_of([&] { heap->trim(); }) == EROFS);
  CHECK(error_of([&] { heap->commit(); }) == EROFS);
  const std::vector<Offset> reachable{block};
  CHECK(joined(heap->verify(&reachable)) == "");
}

TEST_CASE("wrong arguments of creation") {
  const TempFolder folder;
  HeapOptions options = heap_in(folder);
  options.backend.size = 4096;
  CHECK_THROWS_AS(create_heap(options), std::invalid_argument);
  options.backend.size = 10000;
  CHECK_THROWS_AS(create_heap(options), std::invalid_argument);
  options = heap_in(folder);
  options.layout = "";
  CHECK_THROWS_AS(create_heap(options), std::invalid_argument);
  options.layout = std::string(64, 'a');
  CHECK_THROWS_AS(create_heap(options), std::invalid_argument);
  options.layout = "two words";
  CHECK_THROWS_AS(create_heap(options), std::invalid_argument);
  options.layout = std::string(63, 'a');
  CHECK(create_heap(options)->layout() == options.layout);
  options.backend_name = "none";
  CHECK_THROWS_AS(open_heap(options), std::invalid_argument);
}

TEST_CASE("a heap with a fixed address is mapped there or nowhere") {
  const TempFolder folder;
  HeapOptions options = heap_in(folder);
  options.fixed_address = true;
  {
    const auto heap = create_heap(options);
    CHECK(heap->data() == fixed_heap_address(77));
    heap->set_root(heap->allocate(16));
    heap->commit();
    // The place is taken: a second heap of that identity is an error, not somewhere else.
    HeapOptions other = options;
    other.backend.path = folder.file("other.db");
    CHECK_THROWS_AS(create_heap(other), OsError);
    other.backend.path = folder.file("next.db");
    other.backend.identity = 78;
    CHECK(create_heap(other)->data() == fixed_heap_address(78));
  }
  CHECK(open_heap(options)->data() == fixed_heap_address(77));
  options.fixed_address = false;
  CHECK(refusal(options) == std::string("HEAP_OTHER_ADDRESS"));
  options.fixed_address = true;
  options.backend.max_size = kFixedSlotBytes + kPageSize;
  CHECK_THROWS_AS(open_heap(options), std::invalid_argument);
}

TEST_CASE("several heaps live in one process") {
  const TempFolder folder;
  std::vector<std::unique_ptr<Heap>> heaps;
  for (int i = 0; i < 4; ++i) {
    HeapOptions options = heap_in(folder, i % 2 == 0 ? "redo" : "copy");
    options.backend.path = folder.file("heap" + std::to_string(i));
    options.backend.identity = static_cast<std::uint64_t>(i);
    heaps.push_back(create_heap(options));
  }
  for (int round = 0; round < 10; ++round) {
    for (auto& heap : heaps) {
      const Offset block = heap->allocate(500);
      heap->data()[block] = std::byte{1};
      if (round % 2 == 0) heap->commit();
    }
  }
  for (auto& heap : heaps) CHECK(heap->verify(nullptr).allocated_blocks == 10);
}

TEST_CASE("commit waits for writers and lets them go when it has captured") {
  const TempFolder folder;
  const auto heap = create_heap(heap_in(folder));
  heap->commit();
  bool called = false;
  heap->commit([](void* flag) { *static_cast<bool*>(flag) = true; }, &called);
  CHECK(called);
  // While one thread holds the writers' side, commit does not return.
  std::shared_lock writing(heap->writers());
  std::atomic<bool> done = false;
  std::thread committer([&] {
    heap->commit();
    done = true;
  });
  std::this_thread::yield();
  CHECK(!done);
  writing.unlock();
  committer.join();
  CHECK(done);
}
