#pragma once
#include "native/fams/backend.h"

namespace plugpull {

extern const BackendKind kSnapBackend;

}  // namespace plugpull
