#pragma once
#include "native/fams/backend.h"

namespace plugpull {

// Conventional msync of a shared mapping. Not failure-atomic: the negative control.
extern const BackendKind kPlainBackend;

}  // namespace plugpull
