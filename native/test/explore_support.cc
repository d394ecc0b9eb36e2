#include "native/test/explore_support.h"

#include <cstring>

#include "native/explore/mix.h"
#include "native/heap/heap.h"
#include "native/storage/error.h"

namespace plugpull::test {
namespace {

constexpr const char* kPath = "/heap/bank";
constexpr std::uint64_t kStart = 1000;

// What the root block holds: these, then the accounts.
struct Root {
  std::uint64_t commit;
  std::uint64_t spare;  // a block of its own, changed now and then
  std::uint64_t big;
};

HeapOptions options_of(const Bank& bank) {
  HeapOptions options;
  options.backend_name = bank.backend;
  options.layout = "test-bank/1";
  options.backend.path = kPath;
  options.backend.size = bank.heap_bytes;
  options.backend.log_bytes = bank.log_bytes;
  options.backend.max_size = std::size_t{4} << 20;
  options.backend.planted = bank.planted;
  options.backend.tracker = TrackerKind::kCompare;
  return options;
}

struct Transfer {
  std::size_t from, to;
  std::uint64_t amount;
};

std::vector<Transfer> transfers(const Bank& bank, unsigned k) {
  std::vector<Transfer> all;
  std::uint64_t random = mix((std::uint64_t{bank.seed} << 32) | k);
  for (unsigned i = 0; i < bank.transfers; ++i) {
    random = mix(random);
    all.push_back({random % bank.accounts, (random >> 20) % bank.accounts, 1 + (random >> 40) % 5});
  }
  return all;
}

}  // namespace

BankRun::BankRun(const Bank& bank)
    : bank_(bank),
      storage_({.profile = profile_by_name(bank.profile), .trace_bytes = std::size_t{64} << 20}) {
  states_.emplace_back(bank.accounts, kStart);
  for (unsigned k = 1; k <= bank.commits; ++k) {
    auto next = states_.back();
    for (const Transfer& t : transfers(bank, k)) {
      next[t.from] -= t.amount;
      next[t.to] += t.amount;
    }
    states_.push_back(std::move(next));
  }

  const StepRecorder steps(storage_);
  // Commit 0 of the heap is the backend's empty one; ours are counted from the one that fills it.
  auto heap = Heap::create(storage_, options_of(bank));
  const Offset root = heap->allocate(sizeof(Root) + bank.accounts * 8);
  std::memcpy(heap->data() + root + sizeof(Root), states_[0].data(), bank.accounts * 8);
  heap->set_root(root);
  heap->commit();
  storage_.ack(0);
  for (unsigned k = 1; k <= bank.commits; ++k) {
    change(*heap, k);
    heap->commit();
    storage_.ack(k);
    if (bank.reopen_every != 0 && k % bank.reopen_every == 0) {
      heap.reset();
      heap = Heap::open(storage_, options_of(bank));
    }
  }
  heap.reset();
}

void BankRun::change(Heap& heap, unsigned k) {
  Root root;
  const auto load = [&] { std::memcpy(&root, heap.data() + heap.root(), sizeof root); };
  const auto save = [&] { std::memcpy(heap.data() + heap.root(), &root, sizeof root); };
  load();
  root.commit = k;
  save();
  for (const Transfer& t : transfers(bank_, k)) {
    std::byte* at = heap.data() + heap.root() + sizeof(Root);
    std::uint64_t a;
    std::uint64_t b;
    std::memcpy(&a, at + t.from * 8, 8);
    a -= t.amount;
    std::memcpy(at + t.from * 8, &a, 8);
    std::memcpy(&b, at + t.to * 8, 8);
    b += t.amount;
    std::memcpy(at + t.to * 8, &b, 8);
  }
  if (k % 2 == 0) {
    if (root.spare != 0) heap.release(root.spare);
    root.spare = heap.allocate(40 + k % 3 * 600);
  }
  if (bank_.grows && k % 2 == 1) {
    if (root.big != 0) {
      heap.release(root.big);
      root.big = 0;
      heap.trim();
    } else {
      root.big = heap.allocate(bank_.heap_bytes);
      std::memset(heap.data() + root.big, 0x42, bank_.heap_bytes);
    }
  }
  save();
}

unsigned BankRun::check(CrashView& view, const StateInfo& info) {
  reason.clear();
  std::unique_ptr<Heap> heap;
  try {
    HeapOptions options = options_of(bank_);
    options.backend.read_only = bank_.read_only;
    // Costs least where nothing is changed after recovery.
    options.backend.tracker = TrackerKind::kMprotect;
    heap = Heap::open(view, options);
  } catch (const FormatError& error) {
    reason = error.what();
    if (error.kind() == FormatError::Kind::kAbsent) return info.acked < 0 ? kHeld : kLost;
    return kUnrecoverable;
  } catch (const OsError& error) {
    reason = error.what();
    return kUnrecoverable;
  }
  if (heap->root() == 0) {
    reason = "empty";
    if (heap->sequence() == 0) return info.acked < 0 ? kHeld : kLost;
    return kBroken;
  }
  const Offset at = heap->root();
  if (at + sizeof(Root) + bank_.accounts * 8 > heap->size()) {
    reason = "root";
    return kBroken;
  }
  Root root;
  std::memcpy(&root, heap->data() + at, sizeof root);
  if (root.commit >= states_.size() ||
      std::memcmp(heap->data() + at + sizeof root, states_[root.commit].data(), bank_.accounts * 8) != 0) {
    reason = "accounts are not those of commit " + std::to_string(root.commit);
    return kTorn;
  }
  std::vector<Offset> reachable{at};
  if (root.spare != 0) reachable.push_back(root.spare);
  if (root.big != 0) {
    reachable.push_back(root.big);
    for (std::size_t i = 0; i < bank_.heap_bytes; i += 512) {
      if (heap->data()[root.big + i] != std::byte{0x42}) {
        reason = "big block";
        return kTorn;
      }
    }
  }
  const HeapReport report = heap->verify(&reachable);
  if (!report.problems.empty()) {
    reason = report.problems.front();
    return kBroken;
  }
  const auto commit = static_cast<std::int64_t>(root.commit);
  view.ack(root.commit);
  reason = "acked " + std::to_string(info.acked) + ", found " + std::to_string(commit);
  if (commit < info.acked) return kLost;
  if (commit > info.acked + 1) return kPhantom;
  return kHeld;
}

}  // namespace plugpull::test
