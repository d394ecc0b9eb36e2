#include <doctest/doctest.h>

#include <cstring>

#include "native/explore/mix.h"
#include "native/model/codec.h"
#include "native/test/explore_support.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

constexpr std::size_t kLimit = std::size_t{64} << 20;

bool same(const Trace& a, const Trace& b) {
  if (a.recording.ops().size() != b.recording.ops().size() || a.inodes != b.inodes) return false;
  for (std::size_t i = 0; i < a.recording.ops().size(); ++i) {
    const Op& x = a.recording.ops()[i];
    const Op& y = b.recording.ops()[i];
    if (x.kind != y.kind || x.mapped != y.mapped || x.replaces != y.replaces || x.mode != y.mode ||
        x.inode != y.inode || x.source != y.source || x.path != y.path || x.other != y.other ||
        x.step != y.step || x.offset != y.offset || x.length != y.length) {
      return false;
    }
    if (x.kind == OpKind::kWrite &&
        (x.size_before != y.size_before ||
         std::memcmp(a.recording.bytes(x), b.recording.bytes(y), x.length) != 0)) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("a trace is the same after it was kept as bytes, and gives the same states") {
  for (const std::string backend : {"redo", "journal", "snap", "copy", "plain"}) {
    CAPTURE(backend);
    BankRun run({.backend = backend, .commits = 3, .grows = true});
    const auto trace = decode_trace(encode_trace(run.trace()), kLimit);
    CHECK(same(*trace, run.trace()));
    const ExploreOptions options{.max_states = 2000};
    const Explored before = Explorer(run.trace(), options).explore(run.checker());
    const Explored after = Explorer(*trace, options).explore(run.checker());
    CHECK(after.states == before.states);
    CHECK(after.verdicts == before.verdicts);
  }
}

TEST_CASE("damaged traces are refused, or are whole traces of another run") {
  BankRun run({.backend = "snap", .heap_bytes = 2 * kPageSize, .commits = 2, .accounts = 20});
  const std::vector<std::byte> whole = encode_trace(run.trace());
  std::uint64_t random = 1;
  unsigned refused = 0;
  for (unsigned i = 0; i < 3000; ++i) {
    std::vector<std::byte> damaged = whole;
    random = mix(random);
    // Most of a trace is what was written, where anything may stand: half of the damage goes elsewhere.
    const std::size_t at = i % 2 == 0 ? random % 400 : random % whole.size();
    switch (i % 3) {
      case 0:
        damaged[at] ^= static_cast<std::byte>(1U << (random >> 60) % 8);
        break;
      case 1:
        damaged.resize(at);
        break;
      default:
        damaged.insert(damaged.begin() + static_cast<std::ptrdiff_t>(at),
                       static_cast<std::byte>(random >> 32));
    }
    try {
      const auto trace = decode_trace(damaged, kLimit);
      // What was let in can be explored.
      Explorer explorer(*trace, {.max_states = 50});
      explorer.explore([](CrashView&, const StateInfo&) { return 0U; });
    } catch (const TraceFormatError& error) {
      ++refused;
      CHECK(std::string(error.what()).find("at byte") != std::string::npos);
    }
  }
  CHECK(refused > 1000);
  CHECK_THROWS_AS(decode_trace({}, kLimit), TraceFormatError);
  CHECK_THROWS_AS(decode_trace(whole, 1000), TraceFormatError);
}
