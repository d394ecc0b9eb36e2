#include "native/test/fams_support.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "native/fams/step.h"
#include "native/storage/error.h"
#include "native/storage/posix.h"

namespace plugpull::test {

std::string TempFolder::scratch_folder() {
  if (::access("/dev/shm", W_OK) == 0) return "/dev/shm";
  return std::filesystem::temp_directory_path().string();
}

TempFolder::TempFolder(const std::string& parent) : path_(parent + "/plugpull-test-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw OsError("mkdtemp", path_, errno);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void TempFolder::clear() const {
  for (const auto& entry : std::filesystem::directory_iterator(path_)) std::filesystem::remove(entry.path());
}

std::string folder_for(const BackendKind& kind) {
  if (!kind.needs_reflink) return TempFolder::scratch_folder();
  const char* folder = std::getenv("PLUGPULL_REFLINK_DIR");
  if (folder == nullptr) {
    MESSAGE("skipped: snap (set PLUGPULL_REFLINK_DIR to a folder on a file system with reflinks)");
    return {};
  }
  const TempFolder probe(folder);
  try {
    const auto a = posix_storage().open(probe.file("a"), {.create = true});
    const auto b = posix_storage().open(probe.file("b"), {.create = true});
    const std::vector<std::byte> page(kPageSize);
    a->pwrite(page, 0);
    b->clone_from(*a);
  } catch (const OsError& error) {
    MESSAGE("skipped: snap (" << error.what() << ")");
    return {};
  }
  return folder;
}

namespace script {
namespace {

std::uint64_t random(std::uint64_t& state) {  // splitmix64
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

// `resize` and `data` are those of a heap or of a vector.
void change_any(std::uint64_t commit, const std::function<void(std::size_t)>& resize,
                const std::function<std::byte*()>& data, const std::function<std::size_t()>& size) {
  std::uint64_t state = commit * 1000;
  const auto write = [&](std::size_t at, std::size_t length) {
    for (std::size_t i = at; i < std::min(at + length, size()); ++i) {
      data()[i] = static_cast<std::byte>(random(state));
    }
  };
  if (commit % 5 == 3) resize(size() + 5 * kPageSize);
  if (commit % 5 == 4) resize(size() - 2 * kPageSize);
  if (commit % 7 == 5) {
    write(size() - 3 * kPageSize, 100);  // gone with the next line
    resize(size() - 4 * kPageSize);
    resize(size() + 6 * kPageSize);
  }
  if (commit == 6) return;  // a commit without a change
  write(size() - kPageSize + random(state) % 1000, 50);
  for (int i = 0; i < 4; ++i) write(random(state) % size(), 1 + random(state) % 300);
}

}  // namespace

void change(Backend& heap, std::uint64_t commit) {
  change_any(
      commit, [&](std::size_t size) { heap.resize(size); }, [&] { return heap.data(); },
      [&] { return heap.size(); });
}

std::vector<std::byte> state(std::uint64_t commit) {
  std::vector<std::byte> bytes(kSize);
  for (std::uint64_t k = 1; k <= commit; ++k) {
    change_any(
        k, [&](std::size_t size) { bytes.resize(size); }, [&] { return bytes.data(); },
        [&] { return bytes.size(); });
  }
  return bytes;
}

bool holds(const Backend& heap, std::uint64_t commit) {
  const std::vector<std::byte> expected = state(commit);
  return heap.size() == expected.size() && std::memcmp(heap.data(), expected.data(), expected.size()) == 0;
}

BackendOptions options(const std::string& folder, TrackerKind tracker) {
  BackendOptions options;
  options.path = folder + "/heap";
  options.size = kSize;
  options.max_size = 64 * kPageSize;
  options.tracker = tracker;
  options.identity = 42;
  return options;
}

}  // namespace script

namespace {

class Killer final : public StepObserver {
 public:
  Killer(int kill_at, Outcome& outcome) : kill_at_(kill_at), outcome_(outcome) {}
  void at(std::string_view) override {
    if (++outcome_.steps == kill_at_) ::kill(::getpid(), SIGKILL);
  }

 private:
  int kill_at_;
  Outcome& outcome_;
};

// The recovered heap must be the acked state or the one after it.
void check_recovered(const BackendKind& kind, const BackendOptions& options, std::int64_t acked,
                     Outcome& outcome) {
  const auto say = [&](const std::string& text) {
    std::strncpy(outcome.problem, text.c_str(), sizeof outcome.problem - 1);
  };
  std::unique_ptr<Backend> heap;
  try {
    heap = kind.open(posix_storage(), options);
  } catch (const FormatError& error) {
    if (acked < 0 && error.kind() == FormatError::Kind::kAbsent) return;
    return say(std::string("unrecoverable: ") + error.what());
  } catch (const std::exception& error) {
    return say(std::string("unrecoverable: ") + error.what());
  }
  const auto sequence = static_cast<std::int64_t>(heap->sequence());
  if (sequence < acked) return say("lost: " + std::to_string(sequence) + " after " + std::to_string(acked));
  if (sequence > acked + 1)
    return say("phantom: " + std::to_string(sequence) + " after " + std::to_string(acked));
  if (!script::holds(*heap, heap->sequence())) say("torn: not the state of " + std::to_string(sequence));
}

void live(const BackendKind& kind, const BackendOptions& options, Outcome& outcome) {
  auto heap = kind.create(posix_storage(), options);
  outcome.acked = 0;
  for (std::uint64_t k = 1; k <= script::kCommits; ++k) {
    script::change(*heap, k);
    heap->commit();
    outcome.acked = static_cast<std::int64_t>(k);
    if (k == 9) heap->checkpoint();
    if (k == 11) {
      heap->close();
      heap = kind.open(posix_storage(), options);
    }
  }
}

}  // namespace

bool run_killed_at(int kill_at, Outcome& outcome, const std::function<void(Outcome&)>& body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    Killer killer(kill_at, outcome);
    observe_steps(&killer);
    int status = 0;
    try {
      body(outcome);
    } catch (const std::exception& error) {
      std::strncpy(outcome.problem, error.what(), sizeof outcome.problem - 1);
      status = 3;
    }
    ::_exit(status);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return false;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    if (outcome.problem[0] == 0) std::strncpy(outcome.problem, "crashed", sizeof outcome.problem - 1);
  }
  return true;
}

std::unique_ptr<Outcome, void (*)(Outcome*)> shared_outcome() {
  void* memory = ::mmap(nullptr, sizeof(Outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  return {new (memory) Outcome(), [](Outcome* outcome) { ::munmap(outcome, sizeof(Outcome)); }};
}

Sweep sweep_kills(const BackendKind& kind, BackendOptions options, bool until_violation) {
  const TempFolder folder(folder_for(kind));
  options.path = folder.file("heap");
  const auto life = shared_outcome();
  const auto look = shared_outcome();
  Sweep sweep;
  const auto recover = [&](Outcome& outcome) { check_recovered(kind, options, life->acked, outcome); };
  const auto note = [&](int at, int recovery_at) {
    if (look->problem[0] == 0) return;
    sweep.violations.push_back("killed at step " + std::to_string(at) + ", in recovery at " +
                               std::to_string(recovery_at) + ": " + look->problem);
  };
  for (int at = 1;; ++at) {
    folder.clear();
    *life = Outcome();
    const bool finished = run_killed_at(at, *life, [&](Outcome& o) { live(kind, options, o); });
    if (life->problem[0] != 0) sweep.violations.push_back(std::string("died: ") + life->problem);
    if (!finished) ++sweep.crashes;
    // Killed again and again, each time one step further; then left alone.
    for (int recovery_at = 1;; ++recovery_at) {
      *look = Outcome();
      const bool recovered = run_killed_at(recovery_at, *look, recover);
      note(at, recovery_at);
      if (recovered) break;
      ++sweep.recovery_crashes;
    }
    *look = Outcome();
    run_killed_at(0, *look, recover);  // recovering twice changes nothing
    note(at, -1);
    if (finished || (until_violation && !sweep.violations.empty())) return sweep;
  }
}

}  // namespace plugpull::test
