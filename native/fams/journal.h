#pragma once
#include "native/fams/backend.h"

namespace plugpull {

extern const BackendKind kJournalBackend;

}  // namespace plugpull
