#include <algorithm>

#include "native/fams/backend.h"
#include "native/fams/copy.h"
#include "native/fams/journal.h"
#include "native/fams/plain.h"
#include "native/fams/redo.h"
#include "native/fams/snap.h"

namespace plugpull {

std::span<const BackendKind> all_backends() noexcept {
  static const BackendKind kinds[] = {kRedoBackend, kJournalBackend, kSnapBackend, kCopyBackend,
                                      kPlainBackend};
  return kinds;
}

const BackendKind* backend_by_name(std::string_view name) noexcept {
  const auto kinds = all_backends();
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const BackendKind& k) { return k.name == name; });
  return found == kinds.end() ? nullptr : &*found;
}

}  // namespace plugpull
