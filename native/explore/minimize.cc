#include "native/explore/minimize.h"

#include <algorithm>
#include <utility>

namespace plugpull {
namespace {

class Minimizer {
 public:
  Minimizer(Explorer& explorer, const Check& check, unsigned max_tries)
      : explorer_(explorer), check_(check), max_tries_(max_tries) {}

  Minimized run(const StatePath& path);

 private:
  using Loss = std::pair<std::uint32_t, std::uint32_t>;  // question, what is wanted

  bool gives(const std::vector<Loss>& losses, std::uint32_t cut);
  bool gives(const StatePath& path);
  std::vector<Loss> losses_now() const;
  std::vector<Loss> single_losses() const;
  std::vector<Loss> smaller(std::vector<Loss> losses, std::uint32_t cut);
  void first_cut(const StatePath& path);
  void later_cuts(StatePath path);
  std::uint32_t first_op_of(const Loss& loss) const;

  Explorer& explorer_;
  const Check& check_;
  unsigned max_tries_;
  std::uint32_t point_ = 0;
  Minimized best_;
};

bool Minimizer::gives(const std::vector<Loss>& losses, std::uint32_t cut) {
  if (best_.tries >= max_tries_) return false;
  ++best_.tries;
  Assignment assignment;
  assignment.cut = cut;
  for (const auto& [question, wanted] : losses) assignment.wanted[question] = wanted;
  return explorer_.assigned(point_, assignment, check_) == best_.verdict;
}

bool Minimizer::gives(const StatePath& path) {
  if (best_.tries >= max_tries_) return false;
  ++best_.tries;
  try {
    return explorer_.replay(path, check_) == best_.verdict;
  } catch (const std::invalid_argument&) {
    return false;  // what recovery does in this state has no such place
  }
}

// What is lost or torn in the state visited last.
std::vector<Minimizer::Loss> Minimizer::losses_now() const {
  std::vector<Loss> losses;
  Scene& scene = explorer_.scene();
  const auto count = static_cast<PendingId>(scene.pending().size());
  const bool journal = scene.profile().journal;
  for (PendingId id = 0; id < count; ++id) {
    const Scene::Known known = scene.known(id);
    const Pending& p = scene.pending()[id];
    if (p.forced || known.fate < 2 || explorer_.recording_of(p) == nullptr) continue;
    if (p.change == Change::kData || (!journal && p.change != Change::kGrow))
      losses.push_back({id, known.candidate});
  }
  const auto chains = scene.chains();
  for (std::uint32_t c = 0; c < chains.size(); ++c) {
    if (chains[c].rank.hi < chains[c].grows.size())
      losses.push_back({Scene::kChainQuestion + c, chains[c].rank.hi});
  }
  if (journal) {
    const std::uint32_t reached = scene.journals()[0].hi;
    const bool lost = std::ranges::any_of(scene.pending(), [&](const Pending& p) {
      return !p.forced && p.change >= Change::kTruncate && p.op > reached;
    });
    if (lost) losses.push_back({Scene::kJournalQuestion, reached});
  }
  return losses;
}

// Every pending change alone lost.
std::vector<Minimizer::Loss> Minimizer::single_losses() const {
  std::vector<Loss> losses;
  Scene& scene = explorer_.scene();
  for (PendingId id = 0; id < scene.pending().size(); ++id) {
    const Pending& p = scene.pending()[id];
    if (p.forced) continue;
    if (p.change == Change::kGrow) {
      if (p.chain != kNone) losses.push_back({Scene::kChainQuestion + p.chain, p.rank - 1});
    } else if (p.change == Change::kData || !scene.profile().journal) {
      losses.push_back({id, 1});
    } else {
      losses.push_back({Scene::kJournalQuestion, p.op - 1});
    }
  }
  // The newest is the likeliest.
  std::ranges::reverse(losses);
  return losses;
}

std::vector<Minimizer::Loss> Minimizer::smaller(std::vector<Loss> losses, std::uint32_t cut) {
  for (std::size_t size = std::max<std::size_t>(1, losses.size() / 2); size >= 1; size /= 2) {
    bool gained = true;
    while (gained && !losses.empty()) {
      gained = false;
      for (std::size_t from = 0; from < losses.size(); from += size) {
        std::vector<Loss> fewer(losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(from));
        fewer.insert(fewer.end(),
                     losses.begin() + static_cast<std::ptrdiff_t>(std::min(losses.size(), from + size)),
                     losses.end());
        if (!gives(fewer, cut)) continue;
        losses = std::move(fewer);
        gained = true;
        break;
      }
    }
  }
  // Lost is simpler than torn.
  for (Loss& loss : losses) {
    if (loss.first >= Scene::kChainQuestion || loss.second <= 1) continue;
    const Loss torn = std::exchange(loss, {loss.first, 1});
    if (!gives(losses, cut)) loss = torn;
  }
  return losses;
}

std::uint32_t Minimizer::first_op_of(const Loss& loss) const {
  const Scene& scene = explorer_.scene();
  if ((loss.first & Scene::kJournalQuestion) != 0) return loss.second + 1;
  if ((loss.first & Scene::kChainQuestion) != 0) {
    return scene.pending()[scene.chains()[loss.first - Scene::kChainQuestion].grows[loss.second]].op;
  }
  return scene.pending()[loss.first].op;
}

void Minimizer::first_cut(const StatePath& path) {
  point_ = path.cuts[0].point;
  std::vector<Loss> losses = losses_now();
  std::uint32_t cut = point_;
  if (!gives(losses, cut)) return;  // only the path itself leads there
  // A cut at another place, with nothing lost at all?
  const auto& ops = explorer_.trace().recording.ops();
  std::uint32_t start = point_;
  while (start > 0 && !is_flush(ops[start - 1].kind) && ops[start - 1].kind != OpKind::kAck) --start;
  bool found = false;
  for (std::uint32_t c = point_ + 1; c-- > start && !found;) {
    if ((c == point_ || is_change(ops[c].kind)) && gives({}, c)) {
      losses.clear();
      cut = c;
      found = true;
    }
  }
  if (!found) {
    losses = smaller(std::move(losses), cut);
    if (losses.size() > 1) {
      explorer_.go_to(point_);
      for (const Loss& loss : single_losses()) {
        if (!gives({loss}, cut)) continue;
        losses = {loss};
        break;
      }
    }
    // Losses at the end are no losses if the cut came before them.
    explorer_.go_to(point_);
    std::ranges::sort(losses, {}, [&](const Loss& loss) { return first_op_of(loss); });
    while (!losses.empty()) {
      const std::uint32_t before = first_op_of(losses.back()) - 1;
      const std::vector<Loss> fewer(losses.begin(), losses.end() - 1);
      if (before < start || !gives(fewer, before)) break;
      losses = fewer;
      cut = before;
    }
  }
  // So that it is the state visited last.
  --best_.tries;
  max_tries_ = best_.tries + 1;
  gives(losses, cut);
  best_.path = explorer_.path();
  best_.point = cut;
}

// Decisions beyond the first cut have no questions that stay the same from state to state: the path itself is
// made simpler. Class 0 is always the one that keeps.
void Minimizer::later_cuts(StatePath path) {
  bool gained = true;
  while (gained) {
    gained = false;
    for (std::size_t c = path.cuts.size(); c-- > 0;) {
      for (std::size_t i = path.cuts[c].taken.size(); i-- > 0;) {
        if (path.cuts[c].taken[i] == 0) continue;
        StatePath simpler = path;
        simpler.cuts[c].taken[i] = 0;
        // Questions asked after this one may be others now; those of the last cut are answered by keeping.
        if (!gives(simpler)) {
          simpler.cuts[c].taken.resize(i + 1);
          if (c + 1 != path.cuts.size() || !gives(simpler)) continue;
        }
        path = simpler;
        gained = true;
      }
    }
  }
  gives(path);
  best_.path = path;
  best_.point = path.cuts[0].point;
}

Minimized Minimizer::run(const StatePath& path) {
  best_.verdict = explorer_.replay(path, check_);
  best_.path = path;
  best_.point = path.cuts[0].point;
  best_.tries = 1;
  best_.reproduced = best_.verdict != 0;
  if (!best_.reproduced) return best_;
  if (path.cuts.size() == 1 && !path.cuts[0].kill) {
    first_cut(path);
  } else {
    later_cuts(path);
  }
  // What is reported is what replaying the path shows.
  std::int64_t acked = -1;
  explorer_.replay(best_.path, [&](CrashView& view, const StateInfo& info) {
    acked = info.acked;
    return check_(view, info);
  });
  best_.acked = acked;
  best_.changes = describe_changes(explorer_);
  std::erase_if(best_.changes,
                [&](const ChangeFate& fate) { return fate.cut == 1 && fate.op > best_.point; });
  return best_;
}

}  // namespace

Minimized minimize(Explorer& explorer, const StatePath& path, const Check& check, unsigned max_tries) {
  return Minimizer(explorer, check, max_tries).run(path);
}

}  // namespace plugpull
