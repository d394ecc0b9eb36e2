#include "native/tracking/fault_handler.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>

#include "native/storage/error.h"
#include "native/storage/storage.h"

namespace plugpull {
namespace {

std::atomic_flag g_lock = ATOMIC_FLAG_INIT;
std::array<std::atomic<ProtectedRange*>, 1024> g_ranges{};
std::atomic<std::size_t> g_used{0};  // no range lies beyond this index
struct sigaction g_previous;

void lock() noexcept {
  while (g_lock.test_and_set(std::memory_order_acquire)) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

void unlock() noexcept { g_lock.clear(std::memory_order_release); }

// Only a forbidden *write* can be ours: reading from and running code in a heap page that
// cannot be read or run must reach the handler before us, not loop.
bool is_forbidden_write(const siginfo_t* info, void* context) noexcept {
  if (info->si_code != SEGV_ACCERR) return false;
#if defined(__x86_64__)
  constexpr greg_t kWrite = 2;
  return (static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & kWrite) != 0;
#else
  (void)context;
  return true;
#endif
}

bool handled(const siginfo_t* info) noexcept {
  const auto* address = static_cast<const std::byte*>(info->si_addr);
  const std::size_t used = g_used.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < used; ++i) {
    ProtectedRange* range = g_ranges[i].load(std::memory_order_relaxed);
    if (range == nullptr || address < range->base || address >= range->base + range->pages * kPageSize)
      continue;
    const auto page = static_cast<std::size_t>(address - range->base) / kPageSize;
    // Another thread may have opened it between our fault and this moment.
    return range->open[page] != 0 || open_page(*range, page);
  }
  return false;
}

void call_previous(int signal, siginfo_t* info, void* context) noexcept {
  if ((g_previous.sa_flags & SA_SIGINFO) != 0) {
    g_previous.sa_sigaction(signal, info, context);
  } else if (g_previous.sa_handler == SIG_DFL || g_previous.sa_handler == SIG_IGN) {
    // The instruction faults again and the default action, death, follows.
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    ::sigaction(signal, &standard, nullptr);
  } else {
    g_previous.sa_handler(signal);
  }
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  bool ours = false;
  if (is_forbidden_write(info, context)) {
    lock();
    ours = handled(info);
    unlock();
  }
  errno = saved;
  if (!ours) call_previous(signal, info, context);
}

void install() {
  // A child must not inherit a lock that a thread of its parent holds.
  ::pthread_atfork(lock, unlock, unlock);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigfillset(&action.sa_mask);
  if (::sigaction(SIGSEGV, &action, &g_previous) != 0) throw OsError("sigaction", "SIGSEGV", errno);
}

}  // namespace

static_assert(sizeof(sigset_t) <= sizeof(unsigned long) * 16);

FaultLock::FaultLock() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, reinterpret_cast<sigset_t*>(saved_mask_));
  lock();
}

FaultLock::~FaultLock() {
  unlock();
  ::pthread_sigmask(SIG_SETMASK, reinterpret_cast<sigset_t*>(saved_mask_), nullptr);
}

bool open_page(ProtectedRange& range, std::size_t page) noexcept {
  constexpr std::size_t kWide = (std::size_t{2} << 20U) / kPageSize;
  std::size_t first = page;
  std::size_t end = page + 1;
  const auto writable = [&] {
    return ::mprotect(range.base + first * kPageSize, (end - first) * kPageSize, PROT_READ | PROT_WRITE) == 0;
  };
  if (!writable()) {
    first = page / kWide * kWide;
    end = std::min(first + kWide, range.pages);
    if (!writable()) {
      first = 0;
      end = range.pages;
      if (!writable()) return false;
    }
  }
  for (std::size_t p = first; p < end; ++p) {
    if (range.open[p] != 0) continue;
    range.open[p] = 1;
    range.changed[range.changed_count++] = static_cast<std::uint32_t>(p);
  }
  return true;
}

void add_protected_range(ProtectedRange* range) {
  static std::once_flag once;
  std::call_once(once, install);
  const FaultLock guard;
  for (std::size_t i = 0; i < g_ranges.size(); ++i) {
    if (g_ranges[i].load(std::memory_order_relaxed) != nullptr) continue;
    g_ranges[i].store(range, std::memory_order_relaxed);
    g_used.store(std::max(g_used.load(), i + 1), std::memory_order_release);
    return;
  }
  throw OsError("track", "(more than 1024 heaps in one process)", ENOMEM);
}

void remove_protected_range(ProtectedRange* range) {
  const FaultLock guard;
  for (auto& slot : g_ranges) {
    if (slot.load(std::memory_order_relaxed) == range) slot.store(nullptr, std::memory_order_relaxed);
  }
}

}  // namespace plugpull
