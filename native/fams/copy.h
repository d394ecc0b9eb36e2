#pragma once
#include "native/fams/backend.h"

namespace plugpull {

extern const BackendKind kCopyBackend;

}  // namespace plugpull
